"""Force fields as levels of theory: MMFF94 and UFF by RDKit, GFN-FF by gfnff, EMT by ASE.

They cost microseconds to milliseconds and serve as baselines of learned corrections, to make
geometries, and to be compared with.

Sources: MMFF94, Halgren, J. Comput. Chem. 17, 490 (1996), as RDKit does it: Tosco, Stiefl,
Landrum, J. Cheminform. 6, 37 (2014); UFF, Rappé et al., J. Am. Chem. Soc. 114, 10024 (1992);
GFN-FF, Spicher and Grimme, Angew. Chem. Int. Ed. 59, 15665 (2020); EMT, Jacobsen, Stoltze,
Norskov, Surf. Sci. 366, 394 (1996), as ASE does it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from ase import Atoms, units
from ase.calculators.emt import EMT as AseEMT
from jaxtyping import Float, Int

from interpmd.errors import CalculationError, UnknownLevelError
from interpmd.extras import required
from interpmd.levels.calculation import Result, checked, version
from interpmd.structures.charges import whole_charge
from interpmd.structures.chemistry import lewis_bonds
from interpmd.structures.lewis import rdkit_molecule

#: Force fields of molecules by name, with the module that has them.
FORCE_FIELDS = {"mmff94": "rdkit", "uff": "rdkit", "gfn-ff": "gfnff"}

KCAL = units.kcal / units.mol

#: Beyond this distance in Å pairs are left out: none are.
ALL_PAIRS = 1e6

#: Molecules whose terms are kept.
MOST_KEPT = 64

#: Å between molecules that are laid out apart, to see the terms of each.
APART = 20.0

#: Energy (eV) and forces (eV/Å, (atoms, 3)) of places in Å, by parameters found before.
Terms = Callable[[np.ndarray], tuple[float, np.ndarray]]

#: Bonded atoms, the smaller number first.
Pairs = Int[np.ndarray, "bonds 2"]


@dataclass(frozen=True, eq=False)
class ForceField:
    """MMFF94, UFF or GFN-FF of molecules in nothing.

    Bonds are those of a Lewis structure (`interpmd.structures.chemistry.lewis_bonds`), and all that
    follows from who is bonded to whom is found once: geometries of the same bonds lie on one smooth
    surface. Where bonds are seen in each structure anew, energies jump as they come and go; where
    they are kept, a stretched bond stays one. The zero of the energy is each force field's own, so
    that only differences between geometries of one molecule mean anything. Molecules of a structure
    are not cut off from each other.

    What GFN-FF takes from a geometry beside its bonds, such as hybridisation, it takes from one
    that distance geometry makes of the bonds alone: of hot frames it would see other terms, and
    their energies would jump by several electronvolts. Where bonds have no Lewis structure or
    cannot be laid out, as where one is broken, each geometry has terms of its own, whatever was
    asked before; those of `bonded_as` are kept.

    Attributes:
        name: "mmff94", "uff" or "gfn-ff"; upper case is taken too.
        bonded_as: structure of the same atoms in the same order whose bonds are kept for all
            others; if None, each structure's own.

    Raises:
        UnknownLevelError: no such force field.
        MissingPackageError: its package is not installed.
        CalculationError: `bonded_as` has no parameters or no Lewis structure.
    """

    name: str
    bonded_as: Atoms | None = None
    _terms: dict[tuple, Terms] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name.strip().lower())
        if self.name not in FORCE_FIELDS:
            raise UnknownLevelError(
                f"unknown force field {self.name!r}; known: {', '.join(FORCE_FIELDS)}"
            )
        if self.bonded_as is not None:
            self._kept(self.bonded_as, whole_charge(self.bonded_as))

    def __getstate__(self) -> dict:
        # the libraries' objects belong to one process
        return vars(self) | {"_terms": {}}

    @property
    def code(self) -> str:
        """Program and version."""
        package = FORCE_FIELDS[self.name]
        return f"{package} {version(package)}"

    def evaluate(self, atoms: Atoms, charge: int = 0, multiplicity: int = 1) -> Result:
        """Energy and forces.

        Raises CalculationError for a periodic structure, where a bond order or a parameter is
        missing, and for other atoms than those of `bonded_as`.
        """
        if atoms.pbc.any():
            raise CalculationError(
                f"{self.name} is for molecules only, and the structure is periodic: set "
                "atoms.pbc = False"
            )
        if self.bonded_as is None:
            terms = self._found(atoms, charge)
        else:
            terms = self._kept(atoms, charge)
        return checked(Result(*terms(atoms.positions)), self.name)

    def _kept(self, atoms: Atoms, charge: int) -> Terms:
        """Terms with the bonds of `bonded_as`."""
        assert self.bonded_as is not None
        if not np.array_equal(atoms.numbers, self.bonded_as.numbers):
            raise CalculationError(
                f"{self.name}: its bonds are those of {self.bonded_as.symbols}, and the structure "
                f"is {atoms.symbols}; the same atoms in the same order are needed"
            )
        if (charge,) not in self._terms:
            self._terms[(charge,)] = self._found(self.bonded_as, charge)
        return self._terms[(charge,)]

    def _found(self, atoms: Atoms, charge: int) -> Terms:
        """Terms with the bonds of a structure, made once for the same bonds of the same atoms."""
        pairs = np.sort(lewis_bonds(atoms).pairs, axis=1)
        key = charge, atoms.numbers.tobytes(), pairs.tobytes()
        if key not in self._terms:
            if self.name == "gfn-ff":
                terms, of_bonds = _by_gfnff(self.name, atoms, pairs, charge)
            else:
                terms, of_bonds = _by_rdkit(self.name, atoms, pairs, charge), True
            if not of_bonds:
                return terms
            self._terms[key] = terms
            while len(self._terms) > MOST_KEPT:
                self._terms.pop(next(iter(self._terms)))
        return self._terms[key]


def _by_rdkit(name: str, atoms: Atoms, pairs: Pairs, charge: int) -> Terms:
    purpose = f"the force field {name}"
    helpers = required("rdkit.Chem.rdForceFieldHelpers", purpose)
    geometry = required("rdkit.Chem", purpose).Conformer(len(atoms))
    molecule = rdkit_molecule(atoms.numbers, pairs.tolist(), charge, purpose)
    if molecule is None:
        raise CalculationError(
            f"{name} needs a Lewis structure, and none was found for {atoms.symbols} with charge "
            f"{charge}; say the charge in atoms.info['charge'], or start from a geometry whose "
            "bonds are plain"
        )
    geometry.SetPositions(np.ascontiguousarray(atoms.positions, dtype=float))
    molecule.AddConformer(geometry, assignId=True)
    if name == "mmff94":
        known = helpers.MMFFGetMoleculeProperties(molecule, mmffVariant="MMFF94")
        terms = known and helpers.MMFFGetMoleculeForceField(
            molecule, known, nonBondedThresh=ALL_PAIRS, ignoreInterfragInteractions=False
        )
    else:
        known = helpers.UFFHasAllMoleculeParams(molecule)
        terms = known and helpers.UFFGetMoleculeForceField(
            molecule, vdwThresh=ALL_PAIRS, ignoreInterfragInteractions=False
        )
    if not terms:
        raise CalculationError(f"{name} has no parameters for {atoms.symbols}")
    terms.Initialize()

    def evaluate(positions: np.ndarray) -> tuple[float, np.ndarray]:
        flat = positions.ravel().tolist()
        # RDKit measures distances anew for an energy only: the gradient takes those it finds
        energy = terms.CalcEnergy(flat)
        gradient = np.array(terms.CalcGrad(flat)).reshape(-1, 3)
        return energy * KCAL, -gradient * KCAL

    return evaluate


def _by_gfnff(name: str, atoms: Atoms, pairs: Pairs, charge: int) -> tuple[Terms, bool]:
    """Terms, and whether they follow from the bonds alone."""
    purpose = f"the force field {name}"
    library = required("gfnff", purpose)
    # atoms in an order that follows from the bonds, since GFN-FF depends on it
    order = _order(atoms.numbers, pairs, purpose)
    numbers, back = atoms.numbers[order], np.argsort(order)
    pairs = np.unique(np.sort(back[pairs], axis=1), axis=0)
    bonded = np.zeros((len(atoms), len(atoms)), dtype=int)
    bonded[pairs[:, 0], pairs[:, 1]] = bonded[pairs[:, 1], pairs[:, 0]] = 1
    places = _laid_out(numbers, pairs, charge, purpose)
    of_bonds = places is not None
    places = atoms.positions[order] if places is None else places
    try:
        terms = library.GFNFFCalculator(
            numbers, places / units.Bohr, charge=charge, bond_matrix=bonded
        )
    except (RuntimeError, ValueError) as error:
        raise CalculationError(f"{name} fails for {atoms.symbols}: {error}") from error

    def evaluate(positions: np.ndarray) -> tuple[float, np.ndarray]:
        energy, gradient, *_ = terms.singlepoint(numbers, positions[order] / units.Bohr)
        forces = -np.asarray(gradient).reshape(-1, 3)[back] * units.Hartree / units.Bohr
        return float(energy) * units.Hartree, forces

    return evaluate, of_bonds


def _order(
    numbers: Int[np.ndarray, " atoms"], pairs: Pairs, purpose: str
) -> Int[np.ndarray, " atoms"]:
    """The atoms in an order that who is bonded to whom decides, whatever theirs is."""
    Chem = required("rdkit.Chem", purpose)
    skeleton = Chem.RWMol()
    for number in numbers.tolist():
        skeleton.GetAtomWithIdx(skeleton.AddAtom(Chem.Atom(number))).SetNoImplicit(True)
    for first, second in pairs.tolist():
        skeleton.AddBond(first, second, Chem.BondType.SINGLE)
    skeleton.UpdatePropertyCache(strict=False)
    Chem.FastFindRings(skeleton)
    return np.argsort(Chem.CanonicalRankAtoms(skeleton))


def _laid_out(
    numbers: Int[np.ndarray, " atoms"], pairs: Pairs, charge: int, purpose: str
) -> Float[np.ndarray, "atoms 3"] | None:
    """Places (Å) that distance geometry gives to the atoms of a graph, its molecules far from each
    other; None where there is no Lewis structure or no such place."""
    Chem, AllChem = (required(f"rdkit.Chem{part}", purpose) for part in ("", ".AllChem"))
    whole = rdkit_molecule(numbers, pairs.tolist(), charge, purpose)
    if whole is None:
        return None
    places = np.zeros((len(numbers), 3))
    members: list[tuple[int, ...]] = []
    parts = Chem.GetMolFrags(whole, asMols=True, sanitizeFrags=True, fragsMolAtomMapping=members)
    for number, (part, inside) in enumerate(zip(parts, members, strict=True)):
        if AllChem.EmbedMolecule(part, randomSeed=1):
            return None
        own = part.GetConformer().GetPositions()
        places[list(inside)] = own - own.mean(axis=0) + [APART * number, 0.0, 0.0]
    return places


@dataclass(frozen=True)
class EMT:
    """Effective-medium theory of ASE, for Al, Cu, Ag, Au, Ni, Pd, Pt; crudely H, C, N, O."""

    name: str = "emt"

    @property
    def code(self) -> str:
        """Program and version."""
        return f"ase {version('ase')}"

    def evaluate(self, atoms: Atoms, charge: int = 0, multiplicity: int = 1) -> Result:
        """Energy, forces and, in a fully periodic cell, stress.

        Raises CalculationError for an element without parameters.
        """
        alone = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        alone.calc = AseEMT()
        try:
            energy, forces = alone.get_potential_energy(), alone.get_forces()
            stress = alone.get_stress() if atoms.pbc.all() else None
        except NotImplementedError as error:
            raise CalculationError(f"emt: {error}") from error
        return checked(Result(float(energy), np.array(forces), stress), self.name)
