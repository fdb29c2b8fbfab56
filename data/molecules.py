"""Molecules of carbon, hydrogen, nitrogen and oxygen: all small ones that a chemist would draw.

Graphs grow from one atom by an atom, a ring or a higher bond at a time, as those of the GDB sets do
(Fink and Reymond, J. Chem. Inf. Model. 47, 342, 2007); `UNLIKELY` leaves out what is strained,
reactive, or another tautomer.
"""

from __future__ import annotations

from functools import cache

from rdkit import Chem, RDLogger

#: Valences of the elements.
VALENCES = {6: 4, 7: 3, 8: 2}

#: What no molecule of the set contains, as SMARTS.
UNLIKELY = (
    "[#7,#8;!a]-,=[#7,#8]",  # bonds between heteroatoms, but for those of the next line
    "[n,o]~[n,o]~[n,o]",
    "[r3]=,#[*]",
    "[r4]=[r4]",
    "[r3,r4;a]",
    "[CX3H2]=N",
    "[r3,r4,r5,r6]#*",
    "*=[C,N]=*",
    "[C,c;!$(C=O)]=,:[C;!$(C=O)]-[OX2H]",  # enols and enamines
    "C=C-[NX3H2,NX3H1]",
    "C=C-[OX2H]",
    "C#C-[#7,#8]",
    "C(#N)-[NX3,OX2]",
    "[NX2H]=C",
    "N=C-[OX2H]",
    "[CX4]([OX2,NX3;!$(NC=O)])[OX2H,NX3H1,NX3H2;!$(NC=O)]",
    "[OX2H]-C(=O)-[OX2,NX3]",
    "[OX2H]-[CX4]-[NX3]",
    "C(=O)-C(=O)-C(=O)",
    "O=C-O-C=O",
    "[N]=C-[N]=C",
    "C=N-[CX4]-N",
    "[CX3H1](=O)-C#*",
)

#: What is possible, but seldom asked for, and far from everything else: small rings, imines,
#: alkynes beside another multiple bond, acetals, neighbouring heteroatoms. A potential of few
#: weights pays for it with larger errors elsewhere.
SELDOM = (
    "[r3]",
    "[r4]",
    "[#6]=[#7;!a]",
    "C#C-[C,N]#,=*",
    "C=C=*",
    "[#8,#7;!a]-[CX4;!R]-[#8,#7;!a]",
    "[r5;#6]=[r5;#7,#6]",
    "[nR]1[n,o][n,o,c][n,o,c]~1",
    "[!#6;R]~[!#6;R]",
    "C#C-C=O",
    "[CX3H1](=O)-[CX3H1]=O",
    "N#C-C#*",
    "N#C-C=O",
    "N#C-C=N",
    "N#C-[N,O]",
    "C#C-C#N",
    "C#C-[CX4]-C#*",
    "C=C-C=C-C=C",
)

#: Most heteroatoms of a molecule, and rings.
HETEROATOMS, RINGS = 3, 1

RDLogger.DisableLog("rdApp.*")


@cache
def _patterns(smarts: tuple[str, ...]) -> tuple[Chem.Mol, ...]:
    return tuple(Chem.MolFromSmarts(pattern) for pattern in smarts)


def ordinary(smiles: str) -> bool:
    """Whether a molecule has nothing of `SELDOM`."""
    molecule = Chem.MolFromSmiles(smiles)
    return not any(molecule.HasSubstructMatch(pattern) for pattern in _patterns(SELDOM))


def likely(smiles: str) -> bool:
    """Whether a molecule belongs into the set."""
    molecule = Chem.MolFromSmiles(smiles)
    heteroatoms = sum(atom.GetAtomicNum() != 6 for atom in molecule.GetAtoms())
    if heteroatoms > HETEROATOMS or molecule.GetRingInfo().NumRings() > RINGS:
        return False
    return not any(molecule.HasSubstructMatch(pattern) for pattern in _patterns(UNLIKELY))


def grown(most: int) -> dict[int, list[str]]:
    """Canonical SMILES of the likely molecules, by number of heavy atoms from 1 to `most`."""
    level, found = {"C", "N", "O"}, {}
    for size in range(1, most + 1):
        if size > 1:
            level = {new for smiles in level for new in _with_an_atom(smiles)}
        front = level
        while front:
            front = {new for smiles in front for new in _with_a_bond(smiles)} - level
            level |= front
        found[size] = sorted(filter(likely, level))
    return found


def _kekulized(smiles: str) -> tuple[Chem.Mol, list[int]]:
    molecule = Chem.MolFromSmiles(smiles)
    Chem.Kekulize(molecule, clearAromaticFlags=True)
    return molecule, [atom.GetTotalNumHs() for atom in molecule.GetAtoms()]


def _with_an_atom(smiles: str) -> set[str]:
    molecule, free = _kekulized(smiles)
    found = set()
    for place, left in enumerate(free):
        for number, valence in VALENCES.items():
            for order in range(1, min(left, valence, 3) + 1):
                larger = Chem.RWMol(molecule)
                new = larger.AddAtom(Chem.Atom(number))
                larger.AddBond(place, new, Chem.BondType.values[order])
                found |= _canonical(larger)
    return found


def _with_a_bond(smiles: str) -> set[str]:
    molecule, free = _kekulized(smiles)
    found = set()
    for second, left in enumerate(free):
        for first in range(second):
            if not min(left, free[first]):
                continue
            bond = molecule.GetBondBetweenAtoms(first, second)
            changed = Chem.RWMol(molecule)
            if bond is None:
                if molecule.GetRingInfo().NumRings() >= RINGS:
                    continue
                changed.AddBond(first, second, Chem.BondType.SINGLE)
            elif (order := int(bond.GetBondTypeAsDouble())) < 3:
                kind = Chem.BondType.values[order + 1]
                changed.GetBondBetweenAtoms(first, second).SetBondType(kind)
            else:
                continue
            found |= _canonical(changed)
    return found


def _canonical(molecule: Chem.RWMol) -> set[str]:
    """Its SMILES in a set, which is empty where RDKit takes it for impossible."""
    try:
        Chem.SanitizeMol(molecule)
    except (ValueError, RuntimeError):
        return set()
    # a round trip, since rings of a molecule that was changed are not those of its SMILES
    smiles = Chem.MolToSmiles(molecule)
    return {Chem.CanonSmiles(smiles)} if Chem.MolFromSmiles(smiles) is not None else set()
