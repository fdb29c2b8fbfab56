"""Cross terms: products of two valence coordinates that are neighbours.

As in class II force fields (Maple, Hwang, Stockfisch, Dinur, Waldman, Ewig and Hagler, J. Comput.
Chem. 15, 162, 1994), with one coefficient for each pair of coordinates that no permutation of equal
atoms tells apart. What enters the products:

| coordinate | even | odd |
|---|---|---|
| bond, angle, bend | value less its mean, over its standard deviation | |
| torsion | cos φ | sin φ, sin 2φ |
| out of plane | | pyramidality over its root mean square |

Odd ones change their sign in the mirror, and the energy does not: so even goes with even, odd with
odd. Odd products have a coefficient each, since their sign depends on how neighbours are numbered.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from ase import Atoms
from jaxtyping import Float, Int

from interpmd.fitting.distil.base import Block, DistilTerm, Entries
from interpmd.fitting.distil.topology import Topology, alike
from interpmd.fitting.distil.valence import FORMS, Formula, evaluated, rows_of
from interpmd.structures.coordinates import formulas

#: Multiples of dihedrals whose sines are in products.
SINES = (1, 2)

#: Most members of a coordinate; what has fewer repeats its first one, with a derivative of zero.
MEMBERS = 4


@dataclass(frozen=True)
class Feature:
    """One function of a coordinate that products are made of.

    Attributes:
        what: form of the coordinate, see `valence.FORMS`, or "planes".
        atoms: its members.
        odd: whether it changes its sign in the mirror.
        function: "linear", "cos" or "sin".
        multiple: of the dihedral.
        origin, scale: of linear ones.
    """

    what: str
    atoms: tuple[int, ...]
    odd: bool
    function: str
    multiple: int = 1
    origin: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True, eq=False)
class Cross(DistilTerm):
    """E = sum over products p of c(kind of p) a(p) b(p).

    Attributes:
        topo: the molecule.
        features: what products are made of.
        products: two features each, shape (products, 2).
        column: coefficient of each product.
    """

    topo: Topology
    features: list[Feature]
    products: Int[np.ndarray, "products 2"]
    column: Int[np.ndarray, " products"]
    _atoms: np.ndarray = field(repr=False)

    @classmethod
    def of(cls, topo: Topology, block: Block) -> Cross | None:
        """The products of a molecule, scaled by how far its coordinates move in some frames; None
        where no two coordinates are neighbours."""
        features = _features(topo, block)
        products = _neighbours(features)
        if not products:
            return None
        order: dict[tuple, int] = {}
        column = [order.setdefault(_key(topo, features, pair), len(order)) for pair in products]
        padded = [[*f.atoms, *[f.atoms[0]] * (MEMBERS - len(f.atoms))] for f in features]
        return cls(topo, features, np.array(products), np.array(column), np.array(padded))

    @property
    def size(self) -> int:
        return int(self.column.max()) + 1

    def entries(self, block: Block) -> Entries:
        value, derivative = self.evaluated(block)
        p, q = self.products.T
        frames, n = len(value), len(p)
        count = len(block.numbers) // frames
        force = np.stack(
            [
                -value[:, q, None, None] * derivative[:, p],
                -value[:, p, None, None] * derivative[:, q],
            ],
            axis=2,
        )
        rows = rows_of(frames, count, self._atoms[self.products].reshape(n, -1))
        width = 2 * MEMBERS * 3
        return Entries(
            frame=np.repeat(np.arange(frames), n),
            of_frame=np.tile(self.column, frames),
            energy=(value[:, p] * value[:, q]).ravel(),
            row=rows.ravel(),
            of_row=np.tile(np.repeat(self.column, width), frames),
            force=force.ravel(),
        )

    def check(self, atoms: Atoms) -> None:
        self.topo.check(atoms)

    def evaluated(
        self, block: Block
    ) -> tuple[Float[np.ndarray, "frames features"], Float[np.ndarray, "frames features 4 3"]]:
        """Values of the features, and derivatives with respect to their members."""
        value = np.zeros((block.n_frames, len(self.features)))
        derivative = np.zeros((*value.shape, MEMBERS, 3))
        for what, formula in _FORMULAS.items():
            numbers = [k for k, f in enumerate(self.features) if f.what == what]
            if not numbers:
                continue
            chosen = [self.features[k] for k in numbers]
            x, dx = evaluated(formula, block, np.array([f.atoms for f in chosen]))
            a, slope = _applied(chosen, x)
            value[:, numbers] = a
            derivative[:, numbers, : dx.shape[2]] = slope[..., None, None] * dx
        return value, derivative

    def parts(self) -> Int[np.ndarray, " size"]:
        return np.arange(self.size)

    def penalty(self) -> Float[np.ndarray, " size"]:
        return np.bincount(self.column, minlength=self.size).astype(float)


#: Formulas of the coordinates, by form.
_FORMULAS: dict[str, Formula] = {
    **{what: form.formula for what, form in FORMS.items() if what != "planes"},
    "planes": formulas.out_of_plane,
}


def _features(topo: Topology, block: Block) -> list[Feature]:
    found = []
    for what in ("stretches", "angles", "bends", "planes"):
        atoms = getattr(topo, what)
        if not len(atoms):
            continue
        value = evaluated(_FORMULAS[what], block, atoms)[0]
        odd = what == "planes"
        # planes share no scale: the sign of each depends on how its neighbours are numbered
        curve = np.arange(len(atoms)) if odd else alike(topo, atoms)[0]
        for number, members in enumerate(atoms.tolist()):
            one = value[:, curve == curve[number]]
            origin = 0.0 if odd else float(one.mean())
            scale = float(np.sqrt(np.mean((one - origin) ** 2))) or 1.0
            found.append(Feature(what, tuple(members), odd, "linear", 1, origin, scale))
    for members in topo.dihedrals.tolist():
        found.append(Feature("dihedrals", tuple(members), False, "cos"))
        found += [Feature("dihedrals", tuple(members), True, "sin", n) for n in SINES]
    return found


def _neighbours(features: Sequence[Feature]) -> list[tuple[int, int]]:
    """Features of one parity, of different coordinates that share a bond, or an atom where one of
    them is a bond itself."""
    at: dict[int, list[int]] = defaultdict(list)
    for number, feature in enumerate(features):
        for atom in feature.atoms:
            at[atom].append(number)
    near = sorted({pair for numbers in at.values() for pair in combinations(numbers, 2)})
    found = []
    for a, b in near:
        one, other = features[a], features[b]
        same = one.what == other.what and one.atoms == other.atoms
        shared = len(set(one.atoms) & set(other.atoms))
        enough = 1 if 2 in (len(one.atoms), len(other.atoms)) else 2
        if one.odd == other.odd and not same and shared >= enough:
            found.append((a, b))
    return found


def _key(topo: Topology, features: Sequence[Feature], pair: tuple[int, int]) -> tuple:
    """The same for products that no permutation of equal atoms tells apart."""
    one, other = (features[k] for k in pair)
    if one.odd:
        return pair
    both = [(one, other)] + ([(other, one)] if one.what == other.what else [])
    return min(
        (
            first.what,
            second.what,
            tuple(topo.kind[list(a)].tolist()),
            tuple(topo.kind[list(b)].tolist()),
            tuple(topo.steps[np.ix_(a, b)].ravel().tolist()),
        )
        for first, second in both
        for a in (first.atoms, first.atoms[::-1])
        for b in (second.atoms, second.atoms[::-1])
    )


def _applied(
    features: Sequence[Feature], x: Float[np.ndarray, "frames n"]
) -> tuple[Float[np.ndarray, "frames n"], Float[np.ndarray, "frames n"]]:
    """Values of features of one form, and their derivatives with respect to the coordinates."""
    multiple = np.array([f.multiple for f in features])
    origin = np.array([f.origin for f in features])
    scale = np.array([f.scale for f in features])
    function = np.array([f.function for f in features])
    turned = multiple * x
    value = np.select(
        [function == "cos", function == "sin"],
        [np.cos(turned), np.sin(turned)],
        (x - origin) / scale,
    )
    slope = np.select(
        [function == "cos", function == "sin"],
        [-multiple * np.sin(turned), multiple * np.cos(turned)],
        np.broadcast_to(1 / scale, x.shape),
    )
    return value, slope
