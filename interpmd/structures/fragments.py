"""Parts of a structure that are looked at as one: molecules, residues, functional groups."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from ase import Atoms

from interpmd.errors import FragmentError
from interpmd.structures.chemistry import chemistry

Fragments = tuple[tuple[int, ...], ...]


def fragments_of(atoms: Atoms, how: str | Sequence[Sequence[int]] = "molecules") -> Fragments:
    """Every atom in exactly one fragment, each fragment in ascending order.

    Args:
        atoms: the structure.
        how: "molecules" (connected by bonds), "residues" (the array `residuenumbers`, which ASE
            reads from PDB files), a SMARTS pattern (every match is a fragment, the rest of each
            molecule another; needs RDKit), or a list of lists of atoms, the rest being fragments
            of one atom each.

    Raises:
        FragmentError: no such atoms, an atom in two fragments, no residues, a pattern that is
            none or matches nothing.
    """
    if not isinstance(how, str):
        if not isinstance(how, Sequence) or any(not isinstance(f, Collection) for f in how):
            raise FragmentError(
                f"fragments are 'molecules', 'residues', a SMARTS pattern or a list of lists of "
                f"atoms, not {how!r}"
            )
        return _with_rest(_listed(how, len(atoms)), np.arange(len(atoms)))
    if how == "molecules":
        return _by_label(chemistry(atoms).fragments)
    if how == "residues":
        if "residuenumbers" not in atoms.arrays:
            raise FragmentError(
                "the structure names no residues (array 'residuenumbers', which ASE reads from "
                "PDB files); give fragments as a list of lists of atoms"
            )
        return _by_label(atoms.arrays["residuenumbers"])
    return _with_rest(_matches(atoms, how), chemistry(atoms).fragments)


def numbered(fragments: Fragments) -> dict[int, int]:
    """Number of the fragment of each atom."""
    return {atom: number for number, members in enumerate(fragments) for atom in members}


def _by_label(labels: np.ndarray) -> Fragments:
    order = dict.fromkeys(np.asarray(labels).tolist())
    return tuple(tuple(np.flatnonzero(labels == label).tolist()) for label in order)


def _listed(given: Sequence[Sequence[int]], count: int) -> list[tuple[int, ...]]:
    found, seen = [], set()
    for fragment in given:
        members = sorted(int(a) for a in fragment)
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
    from rdkit import Chem
    from rdkit.Chem import rdDetermineBonds

    query = Chem.MolFromSmarts(pattern)
    if query is None:
        raise FragmentError(f"{pattern!r} is neither 'molecules', 'residues' nor a SMARTS pattern")
    block = f"{len(atoms)}\n\n" + "\n".join(
        f"{s} {x:.8f} {y:.8f} {z:.8f}"
        for s, (x, y, z) in zip(atoms.symbols, atoms.positions, strict=True)
    )
    mol = Chem.MolFromXYZBlock(block)
    charge = int(atoms.info.get("charge", 0))
    try:
        rdDetermineBonds.DetermineBonds(mol, charge=charge)
    except ValueError:  # bond orders are not always found; connectivity suffices for many patterns
        rdDetermineBonds.DetermineConnectivity(mol)
        mol.UpdatePropertyCache(strict=False)
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
