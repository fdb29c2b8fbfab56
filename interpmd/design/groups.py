"""The groups that are tried at the sites of a scaffold: thirty common ones, or one's own.

A group is SMILES with one open valence, ``*``; without it the first atom is joined. Hydrogen stands
for "absent" and is always among them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from interpmd.errors import DesignError
from interpmd.extras import required

#: Thirty common groups, by the names that chemists write.
COMMON = {
    "CH3": "*C",
    "C2H5": "*CC",
    "iPr": "*C(C)C",
    "tBu": "*C(C)(C)C",
    "cPr": "*C1CC1",
    "CHCH2": "*C=C",
    "CCH": "*C#C",
    "Ph": "*c1ccccc1",
    "CH2OH": "*CO",
    "CH2F": "*CF",
    "CF3": "*C(F)(F)F",
    "CN": "*C#N",
    "CHO": "*C=O",
    "COCH3": "*C(C)=O",
    "COOH": "*C(=O)O",
    "COOCH3": "*C(=O)OC",
    "CONH2": "*C(N)=O",
    "NH2": "*N",
    "NHCH3": "*NC",
    "N(CH3)2": "*N(C)C",
    "NHCOCH3": "*NC(C)=O",
    "NO2": "*[N+](=O)[O-]",
    "OH": "*O",
    "OCH3": "*OC",
    "OCF3": "*OC(F)(F)F",
    "SH": "*S",
    "SCH3": "*SC",
    "F": "*F",
    "Cl": "*Cl",
    "Br": "*Br",
}

FOR_DESIGN = "exploring molecules"


@dataclass(frozen=True)
class Group:
    """What may stand at a site.

    Attributes:
        name: as shown.
        smiles: with one open valence, ``*``.
    """

    name: str
    smiles: str


#: "Absent".
HYDROGEN = Group("H", "*[H]")

#: What users may give: names of `COMMON`, SMILES, or names with their SMILES.
Groups = Sequence[str] | Mapping[str, str]


def groups_of_names(given: Groups | None) -> tuple[Group, ...]:
    """Groups by name or SMILES, hydrogen first.

    Args:
        given: names of `COMMON` and SMILES in a sequence, or names and their SMILES; all of
            `COMMON` if None.

    Raises:
        DesignError: a text that is neither a name nor SMILES with one open valence, a name or a
            group that occurs twice, a group with a charge.
    """
    if isinstance(given, str):
        raise DesignError(f"groups are a list such as ['CH3', 'F'], not the text {given!r}")
    pairs = COMMON if given is None else given
    if not isinstance(pairs, Mapping):
        pairs = _named(pairs)
    found, known = [HYDROGEN], {_canonical("H", HYDROGEN.smiles): "H"}
    for name, smiles in pairs.items():
        if not isinstance(name, str) or not isinstance(smiles, str) or not name.strip():
            raise DesignError(f"a group is a name and its SMILES, not {name!r}: {smiles!r}")
        if "|" in name or name != name.strip():
            raise DesignError(f"the name of a group holds no '|' and no space around it: {name!r}")
        canonical = _canonical(name, smiles)
        if name == "H" and known.get(canonical) != "H":
            raise DesignError(f"H is hydrogen, and {smiles!r} is not: give this group another name")
        if known.get(canonical) == "H" and name in ("H", "[H]"):
            continue
        if canonical in known:
            raise DesignError(f"groups {known[canonical]!r} and {name!r} are the same")
        known[canonical] = name
        found.append(Group(name, canonical))
    if len(found) < 2:
        raise DesignError("at least one group beside hydrogen is needed")
    return tuple(found)


def _named(given: Sequence[str]) -> dict[str, str]:
    names: dict[str, str] = {}
    for text in given:
        if not isinstance(text, str):
            raise DesignError(f"a group is a name such as 'CH3' or SMILES, not {text!r}")
        if text in names:
            raise DesignError(f"group {text!r} is given twice")
        names[text] = {"H": HYDROGEN.smiles}.get(text) or COMMON.get(text, text)
    return names


def _canonical(name: str, smiles: str) -> str:
    """SMILES in one form, with ``*`` for the open valence."""
    Chem, rdBase = (required(f"rdkit.{part}", FOR_DESIGN) for part in ("Chem", "rdBase"))
    options = Chem.SmilesParserParams()
    options.removeHs = False
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles, options)
    known = ", ".join(["H", *COMMON])
    if molecule is None or molecule.GetNumAtoms() == 0:
        raise DesignError(f"group {name!r}: {smiles!r} is no SMILES; names that are known: {known}")
    open_ends = [atom for atom in molecule.GetAtoms() if atom.GetAtomicNum() == 0]
    if not open_ends:
        whole = Chem.RWMol(molecule)
        if not whole.GetAtomWithIdx(0).GetTotalNumHs():
            raise DesignError(f"group {name!r}: the first atom of {smiles!r} has no valence left")
        whole.GetAtomWithIdx(0).SetNoImplicit(False)
        whole.AddBond(0, whole.AddAtom(Chem.Atom(0)), Chem.BondType.SINGLE)
        with rdBase.BlockLogs():
            problem = Chem.SanitizeMol(whole, catchErrors=True)
        if problem != Chem.SanitizeFlags.SANITIZE_NONE:
            raise DesignError(f"group {name!r}: the first atom of {smiles!r} has no valence left")
        molecule = whole.GetMol()
        open_ends = [atom for atom in molecule.GetAtoms() if atom.GetAtomicNum() == 0]
    bonds = [bond for atom in open_ends for bond in atom.GetBonds()]
    if len(open_ends) != 1 or len(bonds) != 1 or bonds[0].GetBondTypeAsDouble() != 1:
        raise DesignError(
            f"group {name!r}: {smiles!r} needs one open valence, a * with a single bond"
        )
    if len(Chem.GetMolFrags(molecule)) > 1 or Chem.GetFormalCharge(molecule):
        raise DesignError(f"group {name!r}: {smiles!r} is in pieces, or charged")
    if any(atom.GetNumRadicalElectrons() for atom in molecule.GetAtoms()):
        raise DesignError(f"group {name!r}: {smiles!r} has an unpaired electron")
    for atom in molecule.GetAtoms():
        atom.SetAtomMapNum(0)
    return Chem.MolToSmiles(molecule)
