"""Force fields as levels of theory: MMFF94 and UFF through RDKit, and ASE's EMT for metals.

They cost microseconds to milliseconds and serve as baselines of learned corrections, and to be
compared with.

Sources: MMFF94, Halgren, J. Comput. Chem. 17, 490 (1996), as in RDKit (Tosco, Stiefl, Landrum,
J. Cheminform. 6, 37 (2014)); UFF, Rappe et al., J. Am. Chem. Soc. 114, 10024 (1992); EMT, Jacobsen,
Stoltze, Norskov, Surf. Sci. 366, 394 (1996), as in ASE.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms, units
from ase.calculators.emt import EMT as AseEMT

from interpmd.errors import CalculationError, StructureError
from interpmd.extras import required
from interpmd.levels.calculation import Result, checked, version
from interpmd.structures.molecules import rdkit_molecule

KCAL_PER_MOL = units.kcal / units.mol

FORCE_FIELDS = {"mmff94": "MMFF94", "uff": "UFF"}


@dataclass(frozen=True)
class ForceField:
    """MMFF94 or UFF of a molecule whose bonds and bond orders are seen in the structure itself.

    Where bonds come and go, energies jump: such a force field knows no reactions. Molecules of a
    structure are not cut off from each other.
    """

    name: str

    @property
    def code(self) -> str:
        """Program and version."""
        return f"rdkit {version('rdkit')}"

    def evaluate(self, atoms: Atoms, charge: int = 0, multiplicity: int = 1) -> Result:
        """Energy and forces; the zero of energy is the force field's own.

        Raises CalculationError where a bond order or a parameter is missing, StructureError for a
        periodic structure.
        """
        if atoms.pbc.any():
            raise StructureError(
                f"{self.name} is for molecules only, and the structure is periodic"
            )
        library = required("rdkit.Chem.rdForceFieldHelpers", f"the level {self.name}")
        named = atoms.copy()
        named.info = {"charge": charge}
        molecule = rdkit_molecule(named, f"the level {self.name}")
        if molecule is None:
            raise CalculationError(
                f"{self.name}: no Lewis structure of {atoms.symbols} with charge {charge} is found"
            )
        if self.name == "uff":
            field = library.UFFGetMoleculeForceField(
                molecule, vdwThresh=1000.0, ignoreInterfragInteractions=False
            )
        else:
            types = library.MMFFGetMoleculeProperties(molecule, mmffVariant="MMFF94")
            field = types and library.MMFFGetMoleculeForceField(
                molecule, types, nonBondedThresh=1000.0, ignoreInterfragInteractions=False
            )
        if not field:
            raise CalculationError(f"{self.name} has no parameters for {atoms.symbols}")
        gradient = np.reshape(field.CalcGrad(), (-1, 3))
        result = Result(field.CalcEnergy() * KCAL_PER_MOL, -gradient * KCAL_PER_MOL)
        return checked(result, self.name)


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
