"""Bond orders and formal charges of molecules, from who is bonded to whom.

RDKit assigns them molecule by molecule (the algorithm of xyz2mol: Kim and Kim, Bull. Korean Chem.
Soc. 36, 1769, 2015). Where it finds none (metals, valences that it does not know), lengths decide:
a bond shorter than 0.7 times the longest that the rule for a bond allows is a multiple one (C-C
1.38 Å, C-N 1.34 Å, C-O 1.29 Å). Lengths say nothing of formal charges, which are then unknown
unless the structure is neutral.

The charge of a single molecule is that of the structure (`interpmd.structures.charges`). Of several
molecules that is the sum, and each gets the charge of least magnitude for which RDKit finds a Lewis
structure with the fewest formal charges; alkali metals, alkaline earths and halogens alone are
ions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from jaxtyping import Bool, Float, Int

from interpmd.extras import required
from interpmd.structures.charges import whole_charge
from interpmd.structures.chemistry import longest_bond

if TYPE_CHECKING:
    from rdkit import Chem

#: Times the longest bond of two elements: their longest multiple bond, where only lengths decide.
MULTIPLE = 0.7

#: Charges of lone atoms in e.
IONS = {
    atomic_numbers[symbol]: charge
    for charge, symbols in {1: "Li Na K Rb Cs", 2: "Mg Ca Sr Ba Zn", -1: "F Cl Br I"}.items()
    for symbol in symbols.split()
}

#: Elements whose valences RDKit knows for this purpose.
COVALENT = {1, 5, 6, 7, 8, 9, 14, 15, 16, 17, 32, 33, 34, 35, 53}

#: Bond orders are searched for in at most this many steps.
MOST_STEPS = 100_000


@dataclass(frozen=True)
class Lewis:
    """Bond orders and formal charges.

    Attributes:
        pairs: the bonds, each once, shape (bonds, 2).
        orders: 1, 2, 3, or 1.5 where aromatic, shape (bonds,).
        conjugated: whether resonance passes through a bond, shape (bonds,).
        charges: formal charges in e, shape (atoms,); None where they cannot be assigned.
    """

    pairs: Int[np.ndarray, "bonds 2"]
    orders: Float[np.ndarray, " bonds"]
    conjugated: Bool[np.ndarray, " bonds"]
    charges: Int[np.ndarray, " atoms"] | None


def lewis(
    atoms: Atoms,
    pairs: Int[np.ndarray, "bonds 2"],
    lengths: Float[np.ndarray, " bonds"],
    molecules: list[tuple[int, ...]],
) -> Lewis:
    """Bond orders and formal charges of every molecule.

    Args:
        atoms: numbers, and the total charge; see `interpmd.structures.charges`.
        pairs: the bonds, each once.
        lengths: of the bonds in Å; looked at only where RDKit finds no bond orders.
        molecules: the atoms of each.

    Raises:
        MissingPackageError: RDKit is not installed.
        StructureError: the total charge is no whole number.
    """
    total = whole_charge(atoms)
    orders, conjugated = np.ones(len(pairs)), np.zeros(len(pairs), dtype=bool)
    charges = np.zeros(len(atoms), dtype=int)
    assigned = True
    for members in molecules:
        inside = np.flatnonzero(np.isin(pairs[:, 0], members))
        numbers = atoms.numbers[list(members)]
        place = {atom: k for k, atom in enumerate(members)}
        local = [(place[i], place[j]) for i, j in pairs[inside].tolist()]
        found = _perceived(numbers, local, total if len(molecules) == 1 else None)
        if found is None:
            orders[inside] = _orders_by_length(atoms.numbers, pairs[inside], lengths[inside])
            assigned &= total == 0
            continue
        orders[inside], conjugated[inside], charges[list(members)] = found
    if not assigned or charges.sum() != total:
        return Lewis(pairs, orders, conjugated, None)
    return Lewis(pairs, orders, conjugated, charges)


_Found = tuple[list[float], list[bool], list[int]]


def _perceived(
    numbers: np.ndarray, bonds: list[tuple[int, int]], charge: int | None
) -> _Found | None:
    """Orders, conjugation and charges of one molecule, of the given charge or the likeliest."""
    if len(numbers) == 1:
        ion = IONS.get(int(numbers[0]), 0) if charge is None else charge
        return [], [], [ion]
    if not COVALENT.issuperset(numbers.tolist()):
        return None
    if charge is not None:
        return _assigned(numbers, bonds, charge)
    best: tuple[int, _Found] | None = None
    for likely in (1, -1) if numbers.sum() % 2 else (0, 2, -2):
        found = _assigned(numbers, bonds, likely)
        if found is None:
            continue
        # charges belong on heteroatoms rather than on carbon
        cost = sum(abs(q) * (1 + (z == 6)) for z, q in zip(numbers, found[2], strict=True))
        if best is None or cost < best[0]:
            best = cost, found
    return None if best is None else best[1]


def _assigned(numbers: np.ndarray, bonds: list[tuple[int, int]], charge: int) -> _Found | None:
    """By RDKit; None where it finds no closed-shell structure of this charge."""
    found = rdkit_molecule(numbers, bonds, charge, "finding the groups of a molecule")
    if found is None:
        return None
    inside = [found.GetBondBetweenAtoms(*bond) for bond in bonds]
    charges = [atom.GetFormalCharge() for atom in found.GetAtoms()]
    orders = [bond.GetBondTypeAsDouble() for bond in inside]
    return orders, [bond.GetIsConjugated() for bond in inside], charges


def rdkit_molecule(
    numbers: Int[np.ndarray, " atoms"],
    bonds: Sequence[tuple[int, int]],
    charge: int,
    purpose: str,
) -> Chem.RWMol | None:
    """A molecule of RDKit with bond orders and formal charges, all hydrogens as atoms.

    Args:
        numbers: atomic numbers.
        bonds: pairs of bonded atoms, each once.
        charge: total, in e.
        purpose: what it is needed for, for the error where RDKit is missing.

    Returns:
        None where RDKit finds no closed-shell structure of this charge.

    Raises:
        MissingPackageError: RDKit is not installed.
    """
    Chem, rdBase, rdDetermineBonds = (
        required(f"rdkit.{name}", purpose) for name in ("Chem", "rdBase", "Chem.rdDetermineBonds")
    )
    skeleton = Chem.RWMol()
    for number in numbers.tolist():
        skeleton.AddAtom(Chem.Atom(number))
        skeleton.GetAtomWithIdx(skeleton.GetNumAtoms() - 1).SetNoImplicit(True)
    for first, second in bonds:
        skeleton.AddBond(int(first), int(second), Chem.BondType.SINGLE)
    with rdBase.BlockLogs():
        try:
            if len(bonds):
                rdDetermineBonds.DetermineBondOrders(
                    skeleton, charge=charge, embedChiral=False, maxIterations=MOST_STEPS
                )
            Chem.SanitizeMol(skeleton)
        except (ValueError, RuntimeError):
            return None
    charges = sum(atom.GetFormalCharge() for atom in skeleton.GetAtoms())
    if charges != charge or any(a.GetNumRadicalElectrons() for a in skeleton.GetAtoms()):
        return None
    return skeleton


def _orders_by_length(numbers: np.ndarray, pairs: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    heavy = (numbers[pairs] > 1).all(1)
    return np.where(heavy & (lengths < MULTIPLE * longest_bond(*numbers[pairs.T])), 2.0, 1.0)
