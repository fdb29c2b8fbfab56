"""Quantum truth: the many-body expansion of the reference method itself, beside the potential's.

For a set S of molecules of a cluster, alone in vacuum with the geometry that they have in it,

    n-body contribution(S) = E(S) − sum over proper subsets T of S: n-body contribution(T)

(Hankins, Moskowitz and Stillinger, J. Chem. Phys. 53, 4544 (1970), equation 1; Xantheas, J. Chem.
Phys. 100, 7523 (1994), equations 2–6). For the reference method this takes a calculation of every
subset; for the potential it is the sum of the rows of the table that touch exactly the molecules
of S, and both are obtained here in the same way, from energies and forces of the subsets.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from ase import Atoms
from ase.units import kcal, mol
from jaxtyping import Float
from tqdm.auto import tqdm

from interpmd.attribution.certificate import Check
from interpmd.errors import ArgumentError, InterpmdError, StructureError
from interpmd.keywords import renamed
from interpmd.plots.comparisons import many_body
from interpmd.potentials.potential import Potential
from interpmd.reference.clusters import molecules_of
from interpmd.reference.labelling import label
from interpmd.structures.threads import one_thread

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: eV in one kcal/mol.
KCAL_MOL = kcal / mol

#: Subsets of molecules that the potential evaluates together.
AT_ONCE = 32

#: A set of molecules, by their places in the cluster.
Subset = tuple[int, ...]

#: Energy (eV), then the forces on all atoms of the cluster (eV/Å), in one vector.
Values = Float[np.ndarray, " one_and_components"]


@dataclass(frozen=True, eq=False)
class QuantumTruth:
    """Contributions of sets of molecules by the reference method and by a potential.

    Attributes:
        level: of theory.
        order: largest number of molecules in a set.
        contributions: one line per set of two and more molecules: frame, molecules (how many the
            frame has), fragments (which; all of them in the remainders), order (how many; 0 for
            the remainder of the frame above `order`), quantum and potential (kcal/mol), and, over
            the components on the atoms of the set, quantum_force (root mean square) and
            force_error (root mean square error), both in eV/Å.

    Example:
        >>> from ase.build import molecule
        >>> import interpmd as im
        >>> dimers = im.sample(molecule("H2O"), how="dimers", n=3, seed=0)
        >>> truth = im.quantum_truth(im.load("water"), dimers, progress=False)
        >>> truth.level, truth.to_frame().fragments.tolist()
        ('gfn2-xtb', [(0, 1), (0, 1), (0, 1)])
        >>> bool(truth.to_frame().error.abs().max() < 0.5)  # kcal/mol
        True
    """

    level: str
    order: int
    contributions: pd.DataFrame

    @property
    def method(self) -> str:
        """Former name of `level`, for one release."""
        warnings.warn(
            "QuantumTruth.method is now QuantumTruth.level; the old name will go with the next "
            "release",
            FutureWarning,
            stacklevel=2,
        )
        return self.level

    def to_frame(self) -> pd.DataFrame:
        """One line per set of molecules, with its error in kcal/mol."""
        frame = self.contributions.copy()
        frame["error"] = frame.potential - frame.quantum
        return frame

    def errors(self) -> pd.DataFrame:
        """Errors of the sets of each size: kcal/mol, and meV/Å for forces."""
        rows = {}
        for order, part in self.by_order():
            error = part.potential - part.quantum
            rows[order] = {
                "sets": len(part),
                "quantum_rms": _rms(part.quantum),
                "rmse": _rms(error),
                "mae": float(error.abs().mean()),
                "largest": float(error.abs().max()),
                "force_rms_meV/A": 1e3 * _rms(part.quantum_force),
                "force_rmse_meV/A": 1e3 * _rms(part.force_error),
            }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("order")

    def checks(self) -> list[Check]:
        """For a certificate: shares within 2 percentage points, and mean absolute errors of the
        two- and three-body contributions, the latter at most 0.1 kcal/mol."""
        shares, errors = self.shares().difference.abs(), self.errors()
        sizes = self.contributions.groupby("frame").molecules.first()
        counts = f"{sizes.min()}" + (f" to {sizes.max()}" if sizes.max() > sizes.min() else "")
        sets = f"{len(sizes)} clusters of {counts} molecules, against {self.level}"
        made = [
            Check("quantum truth", f"{_name(o)} share", float(v), 2.0, "percentage points", sets)
            for o, v in shares.items()
            if o > 1
        ]
        for order, limit in ((2, None), (3, 0.1)):
            if order in errors.index:
                value = float(errors.mae[order])
                made.append(
                    Check("quantum truth", f"{_name(order)} mean error", value, limit, "kcal/mol")
                )
        return made

    def shares(self, molecules: int | None = None) -> pd.DataFrame:
        """Share of each order in the interaction energy, in percent.

        The interaction energy is that of the whole less that of its molecules, both summed over
        the frames: shares of single frames grow without limit where their interaction is weak.

        Args:
            molecules: only frames with so many molecules.

        Raises:
            ValueError: there are no such frames.
        """
        frame = self.contributions
        frame = frame if molecules is None else frame[frame.molecules == molecules]
        if frame.empty:
            raise ArgumentError(f"there are no frames of {molecules} molecules")
        totals = frame[["quantum", "potential"]].sum()
        rows = {
            order: 100 * p[["quantum", "potential"]].sum() / totals
            for order, p in self._groups(frame)
        }
        table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("order")
        table["difference"] = table.potential - table.quantum
        return table

    def plot(
        self, molecules: int | None = None, ax: Sequence[Axes] | None = None
    ) -> Sequence[Axes]:
        """Contributions of the potential against those of the method, and the shares as bars.

        Args:
            molecules: shares of frames with so many molecules only.
            ax: two axes.
        """
        terms = {
            order: (part.quantum.to_numpy(), part.potential.to_numpy())
            for order, part in self.by_order()
        }
        columns = {"quantum": self.level, "potential": "potential"}
        table = self.shares(molecules)[list(columns)].rename(columns=columns)
        title = "all frames" if molecules is None else f"clusters of {molecules}"
        return many_body(terms, table, self.level, title, ax)

    def __repr__(self) -> str:
        errors = self.errors()
        parts = [f"{_name(o)} {e.rmse:.3f} of {e.quantum_rms:.3f}" for o, e in errors.iterrows()]
        frames = self.contributions.frame.nunique()
        return (
            f"QuantumTruth, {self.level}, {frames} clusters; error (RMS) of RMS in kcal/mol: "
            + ", ".join(parts)
        )

    def _repr_html_(self) -> str:
        errors, shares = self.errors().round(4).to_html(), self.shares().round(2).to_html()
        return f"<p><b>{self!r}</b></p>{errors}<p>Shares in percent:</p>{shares}"

    def by_order(self) -> list[tuple[int, pd.DataFrame]]:
        """Orders with their lines of `contributions`, the remainder (0) last."""
        return self._groups(self.contributions)

    @staticmethod
    def _groups(frame: pd.DataFrame) -> list[tuple[int, pd.DataFrame]]:
        return sorted(frame.groupby("order"), key=lambda item: item[0] or 99)


@renamed(method="level")
def quantum_truth(
    potential: Potential,
    frames: Atoms | Iterable[Atoms],
    level: str = "gfn2-xtb",
    order: int = 4,
    out: str | Path | None = None,
    progress: bool = True,
) -> QuantumTruth:
    """Compare the potential's n-body contributions of molecules with those of quantum chemistry.

    Args:
        potential: a potential that was fitted to that level; evaluated in float64.
        frames: clusters of molecules, without periodic directions; those of one molecule are
            left out.
        level: of theory of the reference; see `interpmd.label`.
        order: largest number of molecules in a set; the energy of a larger cluster that its sets
            leave over is one remainder.
        out: extxyz file that keeps the quantum results; calling again goes on from it.
        progress: whether to show a progress bar.

    Raises:
        StructureError: a periodic frame, or none with two molecules.
        ValueError: order below 2.
        InterpmdError: the calculation failed for a set of molecules.
    """
    if order < 2:
        raise ArgumentError(
            f"order is the largest number of molecules in a set, 2 or more, not {order}"
        )
    frames = [frames] if isinstance(frames, Atoms) else list(frames)
    groups = [molecules_of(atoms) for atoms in frames]
    if any(atoms.pbc.any() for atoms in frames):
        raise StructureError("the many-body expansion takes clusters, not periodic structures")
    kept = [(i, a, g) for i, (a, g) in enumerate(zip(frames, groups, strict=True)) if len(g) > 1]
    if not kept:
        raise StructureError("none of the frames has two molecules")
    subsets = [subsets_of(len(groups), order) for _, _, groups in kept]
    parts = [
        atoms[_members(groups, subset)]
        for (_, atoms, groups), chosen in zip(kept, subsets, strict=True)
        for subset in chosen
    ]
    quantum = iter(_quantum(parts, level, out, progress))
    model = iter(_model(parts, potential, progress))
    lines: list[dict] = []
    for (index, atoms, groups), chosen in zip(kept, subsets, strict=True):
        expansions = [
            many_body_expansion(
                {s: _whole(next(source), _members(groups, s), len(atoms)) for s in chosen}
            )
            for source in (quantum, model)
        ]
        lines += _lines(index, groups, order, *expansions)
    return QuantumTruth(level, order, pd.DataFrame(lines))


def subsets_of(count: int, order: int) -> list[Subset]:
    """All sets of up to `order` of `count` molecules, the smaller ones first, and the whole."""
    sizes = sorted({*range(1, min(order, count) + 1), count})
    return [subset for size in sizes for subset in combinations(range(count), size)]


def many_body_expansion(values: Mapping[Subset, Values]) -> dict[Subset, Values]:
    """What each set contributes beyond those of its proper subsets that are there.

    Args:
        values: of sets, the smaller ones first; any arrays of one shape.
    """
    contributions: dict[Subset, Values] = {}
    for subset, value in values.items():
        proper = (s for n in range(1, len(subset)) for s in combinations(subset, n))
        contributions[subset] = value - sum(contributions.get(s, 0.0) for s in proper)
    return contributions


def _lines(
    frame: int,
    groups: list[list[int]],
    order: int,
    quantum: dict[Subset, Values],
    model: dict[Subset, Values],
) -> list[dict]:
    lines = []
    for subset in quantum:
        if len(subset) < 2:
            continue
        on = _members(groups, subset)
        forces = [source[subset][1:].reshape(-1, 3)[on] for source in (quantum, model)]
        lines.append(
            {
                "frame": frame,
                "molecules": len(groups),
                "fragments": subset,
                "order": len(subset) if len(subset) <= order else 0,
                "quantum": quantum[subset][0] / KCAL_MOL,
                "potential": model[subset][0] / KCAL_MOL,
                "quantum_force": _rms(forces[0]),
                "force_error": _rms(forces[1] - forces[0]),
            }
        )
    return lines


def _quantum(
    parts: list[Atoms], level: str, out: str | Path | None, progress: bool
) -> list[tuple[float, np.ndarray]]:
    labelled = label(parts, level, out=out, progress=progress)
    if len(labelled) < len(parts):
        raise InterpmdError(
            f"{level} failed on {len(parts) - len(labelled)} of {len(parts)} sets of molecules; "
            "leave out the frames that the warning names"
        )
    return [(a.get_potential_energy(), a.get_forces()) for a in labelled]


@one_thread()
def _model(
    parts: list[Atoms], potential: Potential, progress: bool
) -> list[tuple[float, np.ndarray]]:
    # differences of large energies lose digits, so that they are taken in float64
    precise = copy.deepcopy(potential).double()
    results: list[tuple[float, np.ndarray]] = []
    with tqdm(total=len(parts), desc="potential", unit="set", disable=not progress) as bar:
        for start in range(0, len(parts), AT_ONCE):
            some = parts[start : start + AT_ONCE]
            predicted = precise.predict(some)
            forces = predicted.forces.split([len(a) for a in some])
            results += [
                (float(e), f.numpy()) for e, f in zip(predicted.energy, forces, strict=True)
            ]
            bar.update(len(some))
    return results


def _members(groups: list[list[int]], subset: Subset) -> list[int]:
    return [atom for molecule in subset for atom in groups[molecule]]


def _whole(part: tuple[float, np.ndarray], members: list[int], n_atoms: int) -> Values:
    """Energy and forces of a set as one vector, zero on the atoms outside."""
    forces = np.zeros((n_atoms, 3))
    forces[members] = part[1]
    return np.concatenate([[part[0]], forces.ravel()])


def _name(order: int) -> str:
    return f"{order}-body" if order else "higher"


def _rms(values: np.ndarray | pd.Series) -> float:
    return float(np.sqrt(np.mean(np.square(np.asarray(values, dtype=float)))))
