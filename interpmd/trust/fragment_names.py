"""Capped groups by name: the fragments of molecules as canonical SMILES.

Fragments are told apart by who is bonded to whom, without stereochemistry: conformers and mirror
images are one fragment.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from ase import Atoms

from interpmd.attribution.gauges.capping import Parts, parts_of
from interpmd.attribution.gauges.myerson import connected_sets
from interpmd.errors import ArgumentError, FragmentError, GroupingError, StructureError
from interpmd.extras import required
from interpmd.structures.charges import whole_charge
from interpmd.structures.chemistry import bonds, molecules
from interpmd.structures.files import Structures, read_frames
from interpmd.structures.groups import Grouping, groups_of
from interpmd.structures.lewis import rdkit_molecule

#: Largest number of groups of a fragment.
ORDER = 3

#: Between the graph and the charge of what has no Lewis structure.
NO_STRUCTURE = ", no Lewis structure of charge "

PURPOSE = "finding the fragments of a molecule"


def fragments_in(frames: Structures, order: int = ORDER) -> set[str]:
    """SMILES of all capped groups, up to `order` of them together, that some frames hold.

    Whole molecules are among them, of however many groups. Frames without groups (periodic
    ones, radicals, molecules that have come apart) give none.

    Args:
        frames: structures, or files of them.
        order: largest number of groups of a fragment.
    """
    found: set[str] = set()
    seen: set[tuple] = set()
    for atoms in read_frames(frames):
        if atoms.pbc.any():
            continue
        parts = molecules(atoms)
        for members in parts:
            molecule = atoms
            if len(parts) > 1:  # the charge is that of all together
                molecule = Atoms(atoms.numbers[list(members)], atoms.positions[list(members)])
            key = identity(molecule)
            if key in seen:
                continue
            seen.add(key)
            try:
                grouping = groups_of(molecule)
                of_molecule = fragments_of_groups(grouping, order).values()
                found |= {smiles for smiles in of_molecule if NO_STRUCTURE not in smiles}
            except (StructureError, ArgumentError, GroupingError):
                continue
    return found


def fragments_of_groups(grouping: Grouping, order: int) -> dict[tuple[int, ...], str]:
    """SMILES of every connected set of groups, and of whole molecules."""
    sets = connected_sets(len(grouping), grouping.links, order)
    sets += [whole for whole in grouping.molecules if len(whole) > order]
    parts = parts_of(grouping, sets)
    return {chosen: _smiles(parts, index) for index, chosen in enumerate(parts.sets)}


def _smiles(parts: Parts, index: int) -> str:
    """Canonical SMILES of one part with its caps."""
    members = parts.members[index].tolist()
    place = {atom: k for k, atom in enumerate(members)}
    numbers = [parts.grouping.numbers[a] for a in members]
    inside = [(place[i], place[j]) for i, j in parts.grouping.bonds if i in place and j in place]
    for stays in parts.stays[parts.part == index].tolist():
        inside.append((place[stays], len(numbers)))
        numbers.append(1)
    return _canonical(tuple(numbers), tuple(inside), parts.charges[index])


@lru_cache(maxsize=20_000)
def _canonical(numbers: tuple[int, ...], inside: tuple[tuple[int, int], ...], charge: int) -> str:
    Chem = required("rdkit.Chem", PURPOSE)
    molecule = rdkit_molecule(np.array(numbers), inside, charge, PURPOSE)
    if molecule is None:  # of no Lewis structure: the graph alone says what it is
        molecule = Chem.RWMol()
        for number in numbers:
            molecule.GetAtomWithIdx(molecule.AddAtom(Chem.Atom(number))).SetNoImplicit(True)
        for first, second in inside:
            molecule.AddBond(first, second, Chem.BondType.SINGLE)
        return f"{Chem.MolToSmiles(molecule)}{NO_STRUCTURE}{charge}"
    Chem.RemoveStereochemistry(molecule)
    # only a round trip gives the SMILES that other software gives
    return Chem.CanonSmiles(Chem.MolToSmiles(Chem.RemoveHs(molecule)))


def canonical_smiles(text: str) -> str:
    """SMILES as fragments are named here: without stereochemistry, in RDKit's form.

    Raises:
        FragmentError: it is no SMILES.
    """
    Chem, rdBase = (required(f"rdkit.{name}", PURPOSE) for name in ("Chem", "rdBase"))
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(text)
    if molecule is None or not text.strip():
        raise FragmentError(f"{text!r} is neither SMILES of a fragment nor the name of a file")
    Chem.RemoveStereochemistry(molecule)
    return Chem.CanonSmiles(Chem.MolToSmiles(molecule))


def identity(atoms: Atoms) -> tuple:
    """What decides the groups of a structure: atoms, bonds, charge."""
    return atoms.numbers.tobytes(), bonds(atoms).pairs.tobytes(), whole_charge(atoms)


def formula(
    atoms: Atoms, grouping: Grouping
) -> tuple[dict[int, str], dict[int, tuple[float, float]], list[tuple[int, int, float]]]:
    """A structural formula on paper.

    Returns:
        Symbols of the heavy atoms with their hydrogens, as "CH3"; their places, bonds of length
        1.5; and pairs of bonded ones with the order of the bond.

    Raises:
        StructureError: no Lewis structure was found.
    """
    Chem, Depict = (required(f"rdkit.{name}", PURPOSE) for name in ("Chem", "Chem.rdDepictor"))
    molecule = rdkit_molecule(atoms.numbers, grouping.bonds, whole_charge(atoms), PURPOSE)
    if molecule is None:
        raise StructureError(f"no Lewis structure of {atoms.symbols} was found to be drawn")
    for atom in molecule.GetAtoms():
        atom.SetAtomMapNum(atom.GetIdx() + 1)  # survives that hydrogens leave
    flat = Chem.RemoveHs(molecule)
    Depict.Compute2DCoords(flat)
    where, symbols, places = flat.GetConformer().GetPositions(), {}, {}
    of = {}
    for atom in flat.GetAtoms():
        index = of[atom.GetIdx()] = atom.GetAtomMapNum() - 1
        count, charge = atom.GetTotalNumHs(includeNeighbors=False), atom.GetFormalCharge()
        hydrogens = "" if not count else "H" if count == 1 else f"H$_{count}$"
        sign = "" if not charge else "$^+$" if charge > 0 else "$^-$"
        symbols[index] = f"{atom.GetSymbol()}{hydrogens}{sign}"
        places[index] = tuple(where[atom.GetIdx(), :2].tolist())
    pairs = [
        (of[b.GetBeginAtomIdx()], of[b.GetEndAtomIdx()], b.GetBondTypeAsDouble())
        for b in flat.GetBonds()
    ]
    return symbols, places, pairs
