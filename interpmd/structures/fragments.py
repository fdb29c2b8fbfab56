"""Parts of a structure that are looked at as one: molecules, residues, functional groups."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from interpmd.errors import FragmentError
from interpmd.extras import required
from interpmd.structures.charges import whole_charge
from interpmd.structures.chemistry import lewis_bonds, molecules
from interpmd.structures.files import Structures, one_structure

if TYPE_CHECKING:
    from rdkit import Chem

Fragments = tuple[tuple[int, ...], ...]

#: What RDKit is needed for here.
FOR_PATTERNS = "fragments by a SMARTS pattern"


def fragments_of(atoms: Structures, how: str | Sequence[Sequence[int]] = "molecules") -> Fragments:
    """Every atom in exactly one fragment, each fragment in ascending order.

    Args:
        atoms: the structure, or a file of it.
        how: "molecules" (connected by bonds), "residues" (the array `residuenumbers`, which ASE
            reads from PDB files), a SMARTS pattern (every match is a fragment, the rest of each
            molecule another; needs RDKit), or a list of lists of atoms, the rest being fragments
            of one atom each.

    Raises:
        FragmentError: no such atoms, an atom in two fragments, no residues, a pattern that is
            none or matches nothing.
        MissingPackageError: a pattern, and RDKit is not installed.
    """
    atoms = one_structure(atoms)
    if not isinstance(how, str):
        if not isinstance(how, Sequence) or any(not isinstance(f, Collection) for f in how):
            raise FragmentError(
                f"fragments are 'molecules', 'residues', a SMARTS pattern or a list of lists of "
                f"atoms, not {how!r}"
            )
        return _with_rest(_listed(how, len(atoms)), np.arange(len(atoms)))
    if how == "molecules":
        return tuple(molecules(atoms))
    if how == "residues":
        if "residuenumbers" not in atoms.arrays:
            raise FragmentError(
                "the structure names no residues (array 'residuenumbers', which ASE reads from "
                "PDB files); give fragments as a list of lists of atoms"
            )
        return _by_label(atoms.arrays["residuenumbers"])
    molecule_of = numbered(tuple(molecules(atoms)))
    return _with_rest(_matches(atoms, how), np.array([molecule_of[a] for a in range(len(atoms))]))


def numbered(fragments: Fragments) -> dict[int, int]:
    """Number of the fragment of each atom."""
    return {atom: number for number, members in enumerate(fragments) for atom in members}


def _by_label(labels: np.ndarray) -> Fragments:
    order = dict.fromkeys(np.asarray(labels).tolist())
    return tuple(tuple(np.flatnonzero(labels == label).tolist()) for label in order)


def _listed(given: Sequence[Sequence[int]], count: int) -> list[tuple[int, ...]]:
    found, seen = [], set()
    for fragment in given:
        try:
            members = sorted(int(a) for a in fragment)
        except (TypeError, ValueError) as error:
            raise FragmentError(
                f"fragments are lists of atoms by their numbers, not {given!r}"
            ) from error
        if not members:
            raise FragmentError("a fragment without atoms")
        for atom in members:
            if not 0 <= atom < count:
                raise FragmentError(f"there is no atom {atom}: atoms are 0 to {count - 1}")
            if atom in seen:
                raise FragmentError(f"atom {atom} is in two fragments")
            seen.add(atom)
        found.append(tuple(members))
    return found


def _with_rest(found: list[tuple[int, ...]], labels: np.ndarray) -> Fragments:
    """The fragments, and what they leave of each label as one more."""
    taken = {a for members in found for a in members}
    rest: dict[int, list[int]] = {}
    for atom, label in enumerate(np.asarray(labels).tolist()):
        if atom not in taken:
            rest.setdefault(label, []).append(atom)
    return tuple(sorted([*found, *map(tuple, rest.values())]))


def _matches(atoms: Atoms, pattern: str) -> list[tuple[int, ...]]:
    Chem, rdBase = (required(f"rdkit.{name}", FOR_PATTERNS) for name in ("Chem", "rdBase"))
    with rdBase.BlockLogs():  # the error below says it
        query = Chem.MolFromSmarts(pattern)
    if query is None:
        raise FragmentError(f"{pattern!r} is neither 'molecules', 'residues' nor a SMARTS pattern")
    mol = _lewis_structure(atoms)
    found, taken = [], set()
    for match in mol.GetSubstructMatches(query):
        members = set(match)
        members |= {  # hydrogens go with the heavy atom that carries them
            n.GetIdx()
            for a in match
            for n in mol.GetAtomWithIdx(a).GetNeighbors()
            if n.GetAtomicNum() == 1
        }
        if not members & taken:
            taken |= members
            found.append(tuple(sorted(members)))
    if not found:
        raise FragmentError(f"the pattern {pattern!r} matches nothing in {atoms.symbols}")
    return found


def _lewis_structure(atoms: Atoms) -> Chem.Mol:
    """The molecule with the orders of its bonds, for RDKit."""
    Chem, rdBase, rdDetermineBonds = (
        required(f"rdkit.{name}", FOR_PATTERNS)
        for name in ("Chem", "rdBase", "Chem.rdDetermineBonds")
    )
    mol = Chem.RWMol()
    for number in atoms.numbers.tolist():
        mol.AddAtom(Chem.Atom(number))
    for first, second in sorted(set(map(tuple, lewis_bonds(atoms).pairs.tolist()))):
        if first != second:
            mol.AddBond(first, second, Chem.BondType.SINGLE)
    try:
        with rdBase.BlockLogs():
            rdDetermineBonds.DetermineBondOrders(mol, charge=whole_charge(atoms))
    except ValueError:  # bond orders are not always found; connectivity suffices for many patterns
        mol.UpdatePropertyCache(strict=False)
        Chem.FastFindRings(mol)
    return mol
