"""GFN-xTB through tblite.

tblite is imported when a level is first evaluated, so that importing interpmd stays fast and tblite
may be missing.

Sources: GFN1-xTB, Grimme, Bannwarth, Shushkov, J. Chem. Theory Comput. 13, 1989 (2017);
GFN2-xTB, Bannwarth, Ehlert, Grimme, J. Chem. Theory Comput. 15, 1652 (2019).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms, units

from interpmd.errors import CalculationError
from interpmd.extras import required
from interpmd.levels.calculation import Result, checked, one_openmp_thread, version

XTB_METHODS = {"gfn1-xtb": "GFN1-xTB", "gfn2-xtb": "GFN2-xTB"}
XTB_ACCURACY = 0.01


@dataclass(frozen=True)
class XTB:
    """Extended tight binding through the library tblite, one thread."""

    name: str

    @property
    def code(self) -> str:
        """Program and version."""
        return f"tblite {version('tblite')}"

    def evaluate(self, atoms: Atoms, charge: int = 0, multiplicity: int = 1) -> Result:
        """Energy, forces and (in a fully periodic cell) stress.

        Raises CalculationError where the self-consistent charges do not converge.
        """
        interface = _import_tblite()
        periodic = (
            {}
            if not atoms.pbc.any()
            else {
                "lattice": atoms.cell.array / units.Bohr,
                "periodic": np.asarray(atoms.pbc),
            }
        )
        try:
            calculator = interface.Calculator(
                XTB_METHODS[self.name],
                atoms.numbers,
                atoms.positions / units.Bohr,
                charge=float(charge),
                uhf=multiplicity - 1,
                **periodic,
            )
            calculator.set("verbosity", 0)
            calculator.set("accuracy", XTB_ACCURACY)
            calculator.set("max-iter", 500)
            results = calculator.singlepoint()
        except (RuntimeError, ValueError) as error:
            raise CalculationError(f"{self.name} failed: {error}") from error
        energy = float(results.get("energy")) * units.Hartree
        forces = -np.asarray(results.get("gradient")) * units.Hartree / units.Bohr
        stress = None
        if atoms.pbc.all():
            virial = np.asarray(results.get("virial")) * units.Hartree
            stress = (virial / atoms.get_volume()).flat[[0, 4, 8, 5, 2, 1]]
        return checked(Result(energy, forces.reshape(-1, 3), stress), self.name)


def _import_tblite():
    # tblite brings its own OpenMP runtime, which reads the environment once, when it is loaded
    with one_openmp_thread():
        return required("tblite.interface", "labelling by xTB")
