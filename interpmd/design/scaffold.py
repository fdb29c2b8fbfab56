"""A scaffold with marked sites, and the molecules that groups make of it."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from interpmd.design.groups import FOR_DESIGN, HYDROGEN, Group, Groups, groups_of_names
from interpmd.errors import DesignError, IsomerWarning
from interpmd.extras import required

if TYPE_CHECKING:
    from rdkit import Chem

#: A molecule: the number of the group at each site; 0 is hydrogen.
Design = tuple[int, ...]

#: Molecules that a space may have; each is predicted in each round.
MOST_DESIGNS = 200_000


@dataclass(frozen=True)
class Space:
    """All molecules of a scaffold with groups at its sites.

    Attributes:
        scaffold: SMILES with sites ``[*:1]``, ``[*:2]``, ...; other atoms may carry numbers too,
            by which objectives name them.
        sites: numbers of the sites, ascending.
        groups: that may stand at each site, hydrogen first.
    """

    scaffold: str
    sites: tuple[int, ...]
    groups: tuple[tuple[Group, ...], ...]

    def __len__(self) -> int:
        count = 1
        for groups in self.groups:
            count *= len(groups)
        return count

    def designs(self) -> Iterator[Design]:
        """All molecules, the bare scaffold first."""
        return itertools.product(*(range(len(groups)) for groups in self.groups))

    def names(self, design: Design) -> tuple[str, ...]:
        """Names of the groups of a molecule, site by site."""
        return tuple(self.groups[s][g].name for s, g in enumerate(design))

    def key(self, design: Design) -> str:
        """Names with bars between them."""
        return "|".join(self.names(design))

    def design(self, given: str | Sequence[str] | Design) -> Design:
        """The molecule with these groups, site by site.

        Args:
            given: names, one text with bars between them ("CN|H|NH2"), or numbers.

        Raises:
            DesignError: another number of sites, or a group that is not tried there.
        """
        asked = given.split("|") if isinstance(given, str) else list(given)
        if len(asked) != len(self.sites):
            raise DesignError(
                f"{given!r} names {len(asked)} groups, and there are {len(self.sites)} sites"
            )
        found = []
        for site, groups, one in zip(self.sites, self.groups, asked, strict=True):
            known = [group.name for group in groups]
            if one in known:
                found.append(known.index(str(one)))
            elif isinstance(one, int) and 0 <= one < len(known):
                found.append(int(one))
            else:
                raise DesignError(f"site {site} has no group {one!r}; it has {', '.join(known)}")
        return tuple(found)

    def molecule(self, design: Design) -> Chem.Mol:
        """The molecule with all hydrogens, numbers of the scaffold's atoms kept.

        Raises:
            DesignError: RDKit knows no such molecule.
        """
        Chem, rdBase = (required(f"rdkit.{part}", FOR_DESIGN) for part in ("Chem", "rdBase"))
        whole = parsed(self.scaffold)
        for site, groups, g in zip(self.sites, self.groups, design, strict=True):
            part = parsed(groups[g].smiles)
            next(a for a in part.GetAtoms() if not a.GetAtomicNum()).SetAtomMapNum(site)
            whole = Chem.CombineMols(whole, part)
        with rdBase.BlockLogs():
            try:
                joined = Chem.molzip(_only_sites_mapped(whole))
                Chem.SanitizeMol(joined)
            except Exception as error:
                raise DesignError(f"{self.key(design)}: no such molecule ({error})") from error
            for atom in joined.GetAtoms():
                if atom.HasProp(MARK):
                    atom.SetAtomMapNum(atom.GetIntProp(MARK))
            return Chem.AddHs(joined)

    def smiles(self, design: Design) -> str:
        """Canonical SMILES of a molecule, without numbers."""
        Chem = required("rdkit.Chem", FOR_DESIGN)
        molecule = self.molecule(design)
        for atom in molecule.GetAtoms():
            atom.SetAtomMapNum(0)
        return Chem.MolToSmiles(Chem.RemoveHs(molecule))

    @cached_property
    def twins(self) -> dict[Design, tuple[Design, ...]]:
        """Molecules that several choices of groups make, by the first of them; empty where sites
        are all different."""
        singles = [
            self.identity(tuple(1 if t == s else 0 for t in range(len(self.sites))))
            for s, groups in enumerate(self.groups)
            if len(groups) > 1
        ]
        if len(set(singles)) == len(singles):
            return {}
        same: dict[str, list[Design]] = {}
        for design in self.designs():
            same.setdefault(self.identity(design), []).append(design)
        return {each[0]: tuple(each) for each in same.values() if len(each) > 1}

    @cached_property
    def _firsts(self) -> dict[Design, Design]:
        return {design: first for first, each in self.twins.items() for design in each}

    def first_of(self, design: Design) -> Design:
        """The first of the choices of groups that make the same molecule."""
        return self._firsts.get(design, design)

    def identity(self, design: Design) -> str:
        """Equal for molecules that are the same, marked atoms included."""
        Chem = required("rdkit.Chem", FOR_DESIGN)
        return Chem.MolToSmiles(self.molecule(design))


#: Name of the property that holds an atom's number while sites are joined.
MARK = "interpmd_mark"


def space_of(
    scaffold: str,
    groups: Groups | None = None,
    sites: Mapping[int, Groups] | Sequence[int] | None = None,
) -> Space:
    """All molecules of a scaffold with groups at its sites.

    Args:
        scaffold: SMILES with sites ``[*:1]``, ``[*:2]``, ...
        groups: for every site; see `groups_of_names`.
        sites: numbers of the sites that change (hydrogen stands at the others), or the groups of
            each; all sites if None.

    Raises:
        DesignError: no SMILES, no sites, a site that occurs twice or has not one single bond, an
            unpaired electron, more than `MOST_DESIGNS` molecules; see also `groups_of_names`.
    """
    if not isinstance(scaffold, str):
        raise DesignError(f"the scaffold is SMILES such as 'c1ccccc1[*:1]', not {scaffold!r}")
    molecule = parsed(scaffold)
    found: list[int] = []
    for atom in molecule.GetAtoms():
        if atom.GetAtomicNum():
            continue
        number = atom.GetAtomMapNum()
        if not number or number in found:
            raise DesignError(
                f"{scaffold!r}: sites are numbered, each once: [*:1], [*:2], ..., not [*:{number}]"
            )
        bonds = [bond.GetBondTypeAsDouble() for bond in atom.GetBonds()]
        if bonds != [1.0]:
            raise DesignError(f"{scaffold!r}: site {number} needs one single bond")
        found.append(number)
    if not found:
        raise DesignError(f"{scaffold!r} has no site; mark where groups go by [*:1], [*:2], ...")
    for atom in molecule.GetAtoms():
        if atom.GetNumRadicalElectrons():
            name = f"{atom.GetSymbol()}:{atom.GetAtomMapNum()}" if atom.GetAtomMapNum() else "atom"
            raise DesignError(
                f"{scaffold!r}: [{name}] has an unpaired electron; in brackets hydrogens are "
                "written out, [CH:14] or [CH2:14]"
            )
    found.sort()
    asked = found if sites is None else list(sites)
    if unknown := [site for site in asked if site not in found]:
        raise DesignError(f"there is no site {unknown[0]!r}; {scaffold!r} has {found}")
    here = groups_of_names(groups) if not isinstance(sites, Mapping) else ()
    of_sites = []
    for site in found:
        if site not in asked:
            of_sites.append((HYDROGEN,))
        elif isinstance(sites, Mapping):
            of_sites.append(groups_of_names(sites[site]))
        else:
            of_sites.append(here)
    space = Space(scaffold, tuple(found), tuple(of_sites))
    if len(space) > MOST_DESIGNS:
        raise DesignError(
            f"{len(space)} molecules are more than {MOST_DESIGNS}: give fewer groups, or fewer "
            "sites"
        )
    space.molecule((0,) * len(found))
    return space


def marked(molecule: Chem.Mol) -> dict[int, int]:
    """Atoms by the numbers that the scaffold gives them."""
    return {a.GetAtomMapNum(): a.GetIdx() for a in molecule.GetAtoms() if a.GetAtomMapNum()}


def parsed(smiles: str) -> Chem.Mol:
    """The one molecule that SMILES are, hydrogens as written.

    Raises:
        DesignError: they are no SMILES, or of several molecules.
    """
    Chem, rdBase = (required(f"rdkit.{part}", FOR_DESIGN) for part in ("Chem", "rdBase"))
    options = Chem.SmilesParserParams()
    options.removeHs = False
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles, options)
    if molecule is None or molecule.GetNumAtoms() == 0:
        raise DesignError(f"{smiles!r} is no SMILES that RDKit understands")
    if len(Chem.GetMolFrags(molecule)) > 1:
        raise DesignError(f"{smiles!r} is in pieces; one molecule is needed")
    return molecule


def one_isomer(molecule: Chem.Mol) -> Chem.Mol:
    """One of the stereoisomers that SMILES leave open, with a warning; a molecule whose only one
    is its mirror image stays as it is, both having the same energies.

    Two isomers are no conformers of each other, and no minimum of one leads to the other.
    """
    Chem, Stereo = (
        required(f"rdkit.{part}", FOR_DESIGN) for part in ("Chem", "Chem.EnumerateStereoisomers")
    )
    centres = list(Chem.FindPotentialStereo(molecule))
    left = [one for one in centres if one.specified == Chem.StereoSpecified.Unspecified]
    sides = [one for one in centres if one.type == Chem.StereoType.Atom_Tetrahedral]
    if not left or (len(left) == 1 and left == sides):
        return molecule
    options = Stereo.StereoEnumerationOptions(onlyUnassigned=True, maxIsomers=1, tryEmbedding=True)
    for chosen in Stereo.EnumerateStereoisomers(molecule, options):
        warnings.warn(
            f"{Chem.MolToSmiles(molecule)} leaves open which stereoisomer is meant; "
            f"{Chem.MolToSmiles(chosen)} is taken, name another by its SMILES",
            IsomerWarning,
            stacklevel=4,
        )
        return chosen
    return molecule


def _only_sites_mapped(molecule: Chem.Mol) -> Chem.Mol:
    """Atoms' own numbers put aside, since sites are joined by numbers."""
    for atom in molecule.GetAtoms():
        if atom.GetAtomicNum() and atom.GetAtomMapNum():
            atom.SetIntProp(MARK, atom.GetAtomMapNum())
            atom.SetAtomMapNum(0)
    return molecule
