"""What a structure offers to ask about: the fragment of an atom, the bonds that can turn."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from interpmd.structures.chemistry import bonds, lewis_bonds, molecules


def fragment_around(atoms: Atoms, atom: int) -> tuple[int, ...]:
    """The molecule of an atom where there are several, else its residue where the structure names
    residues (the array `residuenumbers`), else the heavy atom with its hydrogens."""
    groups = molecules(atoms)
    if len(groups) > 1:
        return next(group for group in groups if atom in group)
    if "residuenumbers" in atoms.arrays:
        labels = np.asarray(atoms.arrays["residuenumbers"])
        if len(set(labels.tolist())) > 1:
            return tuple(np.flatnonzero(labels == labels[atom]).tolist())
    bonded = [{i, j} for i, j in bonds(atoms).pairs.tolist() if i != j]
    partners = sorted({a for bond in bonded if atom in bond for a in bond} - {atom})
    heavy = [a for a in partners if atoms.numbers[a] > 1]
    centre = heavy[0] if atoms.numbers[atom] == 1 and heavy else atom
    around = {a for bond in bonded if centre in bond for a in bond}
    return tuple(sorted({atom, centre} | {a for a in around if atoms.numbers[a] == 1}))


def dihedrals(atoms: Atoms) -> list[tuple[int, int, int, int]]:
    """One dihedral for each bond about which a side can turn, along the bonds.

    Bonds in rings are left out: cutting one frees no side. A shared proton closes none.
    """
    known = lewis_bonds(atoms)
    inside = known.pairs[~known.shifts.any(1)].tolist()
    neighbours: dict[int, list[int]] = {a: [] for a in range(len(atoms))}
    for i, j in inside:
        neighbours[i].append(j)
        neighbours[j].append(i)
    chains = []
    for second, third in inside:
        firsts = [a for a in neighbours[second] if a != third]
        lasts = [a for a in neighbours[third] if a != second]
        if firsts and lasts and not _in_ring(second, third, neighbours):
            # heavy atoms at the ends make the more familiar angle
            first = max(firsts, key=lambda a: (atoms.numbers[a], -a))
            last = max(lasts, key=lambda a: (atoms.numbers[a], -a))
            chains.append((first, second, third, last))
    return chains


def _in_ring(second: int, third: int, neighbours: dict[int, list[int]]) -> bool:
    reached, waiting = {third}, [third]
    while waiting:
        atom = waiting.pop()
        for other in neighbours[atom]:
            if (atom, other) != (third, second) and other not in reached:
                reached.add(other)
                waiting.append(other)
    return second in reached
