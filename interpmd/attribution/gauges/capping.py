"""Parts of a molecule as closed-shell molecules: cut bonds end in hydrogen.

A bond from atom p that stays to atom r that leaves is closed with a hydrogen on the same line,

    x_cap = x_p + L u,    u = (x_r - x_p) / d,    d = |x_r - x_p|,

L being the standard length of p's bond to hydrogen. Half an H2 is paid for each, so that the value
of a part is the energy of a reaction with hydrogen,

    v(S) = E(S with its caps) - caps(S) E(H2) / 2.

The force on a cap belongs to the atoms that place it: with P = 1 - u u^T,

    dx_cap / dx_r = (L / d) P,    dx_cap / dx_p = 1 - (L / d) P

(the link atoms of QM/MM; Senn and Thiel, Angew. Chem. Int. Ed. 48, 1198, 2009, section 2). So the
forces of v(S) act on atoms of S and on the neighbours that left; they sum to zero and exert no
torque, as those of a function of these positions must.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from jaxtyping import Float, Int

from interpmd.errors import ArgumentError
from interpmd.structures.groups import Grouping
from interpmd.structures.skeleton import HYDRIDE_LENGTHS

#: Length in Å at which H2 is evaluated: equilibrium, Huber and Herzberg, Constants of Diatomic
#: Molecules, 1979.
H2_LENGTH = 0.7414


@dataclass(frozen=True, eq=False)
class Parts:
    """Sets of groups as molecules, before their geometry.

    Attributes:
        grouping: the groups.
        sets: groups of each part.
        members: atoms of each part, ascending.
        charges: of each part in e.
        part: part of every cap, ascending, shape (caps,).
        stays: atom that carries each cap, shape (caps,).
        leaves: atom in whose direction it lies, shape (caps,).
        lengths: of the bonds to the caps in Å, shape (caps,).
    """

    grouping: Grouping
    sets: tuple[tuple[int, ...], ...]
    members: tuple[Int[np.ndarray, " members"], ...]
    charges: tuple[int, ...]
    part: Int[np.ndarray, " caps"]
    stays: Int[np.ndarray, " caps"]
    leaves: Int[np.ndarray, " caps"]
    lengths: Float[np.ndarray, " caps"]

    def __len__(self) -> int:
        return len(self.sets)

    @property
    def caps(self) -> Int[np.ndarray, " parts"]:
        """Number of caps of each part."""
        return np.bincount(self.part, minlength=len(self))


def parts_of(grouping: Grouping, sets: Sequence[Sequence[int]]) -> Parts:
    """The atoms, caps and charges of connected sets of groups.

    Raises:
        ArgumentError: a set without groups, of groups that do not exist or are not connected, or
            two of whose bonds lead to one group that is missing (a hydrogen would stand for half
            a ring).
    """
    sets = tuple(tuple(sorted({int(k) for k in chosen})) for chosen in sets)
    for chosen in sets:
        _check_set(grouping, chosen)
    caps = [
        (index, *(pair if k in chosen else pair[::-1]))
        for index, chosen in enumerate(map(set, sets))
        for pair, (k, other) in zip(grouping.cuts, grouping.links, strict=True)
        if (k in chosen) != (other in chosen)
    ]
    part, stays, leaves = np.array(caps, dtype=int).reshape(-1, 3).T
    return Parts(
        grouping,
        sets,
        tuple(np.array(sorted(a for k in chosen for a in grouping.groups[k])) for chosen in sets),
        tuple(sum(grouping.charges[k] for k in chosen) for chosen in sets),
        part,
        stays,
        leaves,
        np.array([HYDRIDE_LENGTHS[grouping.numbers[a]] for a in stays.tolist()], dtype=float),
    )


def capped(
    parts: Parts, atoms: Atoms, positions: Float[np.ndarray, "atoms 3"] | None = None
) -> list[Atoms]:
    """Every part as a molecule: its atoms in their order, then its caps.

    The charge stands in `info["charge"]`, where potentials and codes of this package look for it,
    and in the initial charges, where ASE's calculators do. The cell is that of the structure.

    Args:
        parts: which.
        atoms: the structure, in Å.
        positions: with every molecule in one piece; those of the structure if None.
    """
    positions = atoms.positions if positions is None else positions
    ends, _, _ = _places(parts, positions)
    molecules = []
    for index, (members, charge) in enumerate(zip(parts.members, parts.charges, strict=True)):
        own_caps = slice(*np.searchsorted(parts.part, [index, index + 1]))
        count = own_caps.stop - own_caps.start
        part = Atoms(
            np.concatenate([atoms.numbers[members], np.ones(count, dtype=int)]),
            positions=np.concatenate([positions[members], ends[own_caps]]),
            cell=atoms.cell,
            pbc=atoms.pbc,
        )
        part.info["charge"] = charge
        if charge:
            part.set_initial_charges(
                _initial(parts.grouping, parts.sets[index], members, len(part))
            )
        molecules.append(part)
    return molecules


def forces_on_atoms(
    parts: Parts,
    positions: Float[np.ndarray, "atoms 3"],
    forces: Sequence[Float[np.ndarray, "*samples capped_atoms 3"]],
) -> Float[np.ndarray, "*samples parts atoms 3"]:
    """Forces of the parts on the atoms of the structure, those of caps passed on.

    Args:
        parts: which.
        positions: of the structure in Å, with every molecule in one piece.
        forces: of each part as a molecule, caps last, in eV/Å; samples may stand in front.
    """
    shape = forces[0].shape[:-2] if len(forces) else ()
    on_atoms = np.zeros((*shape, len(parts), len(positions), 3))
    on_caps = np.zeros((*shape, len(parts.part), 3))
    for index, (members, given) in enumerate(zip(parts.members, forces, strict=True)):
        own_caps = slice(*np.searchsorted(parts.part, [index, index + 1]))
        on_atoms[..., index, members, :] = given[..., : len(members), :]
        on_caps[..., own_caps, :] = given[..., len(members) :, :]
    _, directions, shares = _places(parts, positions)
    along = (on_caps * directions).sum(-1, keepdims=True) * directions
    passed = shares[:, None] * (on_caps - along)
    # an atom may carry several caps, so that indexed addition would lose some
    flat = np.moveaxis(on_atoms.reshape(*shape, -1, 3), -2, 0)
    rows = parts.part * len(positions)
    np.add.at(flat, rows + parts.leaves, np.moveaxis(passed, -2, 0))
    np.add.at(flat, rows + parts.stays, np.moveaxis(on_caps - passed, -2, 0))
    return on_atoms


def hydrogen_molecule() -> Atoms:
    """H2, half of which is paid for each cap."""
    return Atoms("H2", positions=[[0.0, 0.0, 0.0], [0.0, 0.0, H2_LENGTH]], info={"charge": 0})


def _places(
    parts: Parts, positions: np.ndarray
) -> tuple[Float[np.ndarray, "caps 3"], Float[np.ndarray, "caps 3"], Float[np.ndarray, " caps"]]:
    """Positions of the caps, directions of their bonds, and L / d."""
    vectors = positions[parts.leaves] - positions[parts.stays]
    distances = np.linalg.norm(vectors, axis=1)
    directions = vectors / distances[:, None]
    ends = positions[parts.stays] + parts.lengths[:, None] * directions
    return ends, directions, parts.lengths / distances


def _initial(
    grouping: Grouping, chosen: Sequence[int], members: np.ndarray, count: int
) -> Float[np.ndarray, " capped_atoms"]:
    """The charge of each group on its first atom."""
    charges = np.zeros(count)
    for k in chosen:
        charges[np.searchsorted(members, grouping.groups[k][0])] = grouping.charges[k]
    return charges


def _check_set(grouping: Grouping, chosen: tuple[int, ...]) -> None:
    if not chosen or not set(chosen) <= set(range(len(grouping))):
        raise ArgumentError(
            f"no set of groups: {chosen}; groups are numbered 0 to {len(grouping) - 1}"
        )
    inside, reached, waiting = set(chosen), {chosen[0]}, [chosen[0]]
    missing: dict[int, int] = {}
    while waiting:
        group = waiting.pop()
        for link in grouping.links:
            if group not in link:
                continue
            other = link[0] if link[1] == group else link[1]
            if other not in inside:
                missing[other] = missing.get(other, 0) + 1
            elif other not in reached:
                reached.add(other)
                waiting.append(other)
    names = " · ".join(grouping.names[k] for k in chosen)
    if reached != inside:
        raise ArgumentError(
            f"{names} are not connected by bonds: a part with a gap is no molecule; add the groups "
            "between"
        )
    for group, bonds in missing.items():
        if bonds > 1:
            raise ArgumentError(
                f"{bonds} bonds lead from {names} to {grouping.names[group]}, which is missing: "
                "hydrogens cannot stand for a part of a ring; put the ring into one group"
            )
