"""Force fields as levels of theory: MMFF94 and UFF through RDKit, GFN-FF through gfnff.

Their bonds are found once, by who is bonded to whom (`interpmd.structures.lewis`), and stay: a
calculator keeps those of the first structure of the same atoms. Zero of the energy is each force
field's own, so that only differences between geometries of one molecule mean anything.

Sources: MMFF94, Halgren, J. Comput. Chem. 17, 490 (1996), as RDKit does it: Tosco, Stiefl,
Landrum, J. Cheminform. 6, 37 (2014); UFF, Rappé et al., J. Am. Chem. Soc. 114, 10024 (1992);
GFN-FF, Spicher and Grimme, Angew. Chem. Int. Ed. 59, 15665 (2020).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import all_changes

from interpmd.errors import CalculationError, UnknownLevelError
from interpmd.extras import required
from interpmd.structures.charges import StatefulCalculator, whole_charge
from interpmd.structures.chemistry import lewis_bonds
from interpmd.structures.lewis import rdkit_molecule

#: Force fields by name, with the module that has them.
FORCE_FIELDS = {"mmff94": "rdkit", "uff": "rdkit", "gfn-ff": "gfnff"}

KCAL = units.kcal / units.mol


class ForceField(StatefulCalculator):
    """ASE calculator of a force field: energy (eV) and forces (eV/Å) of molecules in nothing.

    Args:
        name: "mmff94", "uff" or "gfn-ff".
        bonded_as: structure whose bonds are those of all structures of the same atoms; the first
            that is asked for if None.

    Raises:
        UnknownLevelError: no such force field.
        MissingPackageError: its package is not installed.
        CalculationError: at evaluation, for a structure without parameters or Lewis structure, or
            in a periodic cell.
    """

    implemented_properties = ["energy", "free_energy", "forces"]
    reads_charge = True

    def __init__(self, name: str, bonded_as: Atoms | None = None) -> None:
        super().__init__()
        self.force_field = name.strip().lower()
        if self.force_field not in FORCE_FIELDS:
            raise UnknownLevelError(
                f"unknown force field {name!r}; known: {', '.join(FORCE_FIELDS)}"
            )
        self._engines: dict[tuple, Any] = {}
        if bonded_as is not None:
            self._engine(bonded_as)

    def _get_name(self) -> str:
        return self.force_field

    def __getstate__(self) -> dict:
        # the libraries' objects belong to one process
        return vars(self) | {"_engines": {}}

    def calculate(self, atoms: Atoms, properties=("energy",), system_changes=all_changes):
        """Fill ``results``, as ASE asks of a calculator."""
        super().calculate(atoms, properties, system_changes)
        if atoms.pbc.any():
            raise CalculationError(f"{self.force_field} is for molecules, not for periodic cells")
        energy, forces = self._engine(atoms)(atoms)
        if not (np.isfinite(energy) and np.isfinite(forces).all()):
            raise CalculationError(f"{self.force_field} returned numbers that are not finite")
        self.results = {"energy": energy, "free_energy": energy, "forces": forces}

    def _engine(self, atoms: Atoms) -> Any:
        charge = whole_charge(atoms)
        key = (atoms.numbers.tobytes(), charge)
        if key not in self._engines:
            make = _gfnff if self.force_field == "gfn-ff" else _by_rdkit
            self._engines[key] = make(self.force_field, atoms, charge)
        return self._engines[key]


def _by_rdkit(name: str, atoms: Atoms, charge: int) -> Any:
    """Energy and forces by a force field of RDKit, its parameters found once."""
    helpers = required("rdkit.Chem.rdForceFieldHelpers", f"the force field {name}")
    bonds = lewis_bonds(atoms).pairs.tolist()
    molecule = rdkit_molecule(atoms.numbers, bonds, charge, f"the force field {name}")
    if molecule is None:
        raise CalculationError(
            f"{name} needs a Lewis structure, and none was found for {atoms.symbols} of charge "
            f"{charge}; start from a geometry whose bonds are plain"
        )
    required("rdkit.Chem.AllChem", f"the force field {name}")
    geometry = required("rdkit.Chem", f"the force field {name}").Conformer(len(atoms))
    geometry.SetPositions(np.ascontiguousarray(atoms.positions, dtype=float))
    molecule.AddConformer(geometry, assignId=True)
    if name == "mmff94":
        found = helpers.MMFFGetMoleculeProperties(molecule, mmffVariant="MMFF94")
        field = found and helpers.MMFFGetMoleculeForceField(
            molecule, found, nonBondedThresh=1e6, ignoreInterfragInteractions=False
        )
    else:
        complete = helpers.UFFHasAllMoleculeParams(molecule)
        field = complete and helpers.UFFGetMoleculeForceField(
            molecule, vdwThresh=1e6, ignoreInterfragInteractions=False
        )
    if not field:
        raise CalculationError(f"{name} has no parameters for {atoms.symbols}")
    field.Initialize()

    def evaluate(moved: Atoms) -> tuple[float, np.ndarray]:
        flat = moved.positions.ravel().tolist()
        # RDKit measures distances anew for an energy only: the gradient takes those it finds
        energy = field.CalcEnergy(flat)
        gradient = np.array(field.CalcGrad(flat)).reshape(-1, 3)
        return energy * KCAL, -gradient * KCAL

    return evaluate


def _gfnff(name: str, atoms: Atoms, charge: int) -> Any:
    """Energy and forces by the library gfnff, its topology made once."""
    library = required("gfnff", f"the force field {name}")
    field = library.GFNFFCalculator(atoms.numbers, atoms.positions / units.Bohr, charge=charge)

    def evaluate(moved: Atoms) -> tuple[float, np.ndarray]:
        energy, gradient, *_ = field.singlepoint(moved.numbers, moved.positions / units.Bohr)
        scale = units.Hartree / units.Bohr
        return float(energy) * units.Hartree, -np.asarray(gradient).reshape(-1, 3) * scale

    return evaluate
