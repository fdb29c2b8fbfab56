"""Kohn-Sham DFT through PySCF, which is imported when a level is first looked up or evaluated.

Source: PySCF, Sun et al., J. Chem. Phys. 153, 024109 (2020).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms, units

from interpmd.errors import CalculationError
from interpmd.extras import required
from interpmd.levels.calculation import Result, checked, version

SCF_TOLERANCE = 1e-9  # hartree
GRID_LEVEL = 3


@dataclass(frozen=True)
class DFT:
    """Kohn-Sham DFT through PySCF: density fitting, analytic gradient, one thread.

    A dispersion correction is part of the functional's name (``-d3bj``, ``-d4``) and comes from
    pyscf-dispersion, in the energy and in the gradient. Restricted for multiplicity 1,
    unrestricted otherwise.
    """

    name: str
    functional: str
    basis: str

    @property
    def code(self) -> str:
        """Programs and versions."""
        return f"pyscf {version('pyscf')}, pyscf-dispersion {version('pyscf-dispersion')}"

    def evaluate(self, atoms: Atoms, charge: int = 0, multiplicity: int = 1) -> Result:
        """Energy and forces of a molecule.

        Raises CalculationError for a periodic cell and where the SCF does not converge.
        """
        if atoms.pbc.any():
            raise CalculationError(f"{self.name} is for molecules: set atoms.pbc = False")
        lib, gto, dft = _import_pyscf()
        with lib.with_omp_threads(1):
            places = (atoms.positions / units.Bohr).tolist()
            molecule = gto.M(
                atom=list(zip(atoms.get_chemical_symbols(), places, strict=True)),
                unit="Bohr",
                basis=self.basis,
                charge=charge,
                spin=multiplicity - 1,
                verbose=0,
            )
            scf = (dft.RKS if multiplicity == 1 else dft.UKS)(molecule, xc=self.functional)
            scf = scf.density_fit()
            scf.conv_tol = SCF_TOLERANCE
            scf.grids.level = GRID_LEVEL
            scf.kernel()
            if not scf.converged:
                scf = scf.newton()
                scf.kernel()
            if not scf.converged:
                raise CalculationError(
                    f"{self.name}: SCF not converged to {SCF_TOLERANCE} hartree, "
                    "neither with DIIS nor with the second-order solver"
                )
            if len(atoms) == 1:
                forces = np.zeros((1, 3))
            else:
                gradient = scf.undo_newton() if hasattr(scf, "undo_newton") else scf
                forces = -gradient.nuc_grad_method().kernel() * units.Hartree / units.Bohr
        return checked(Result(float(scf.e_tot) * units.Hartree, forces), self.name)


def functional_error(functional: str) -> Exception | None:
    """Why PySCF does not know a functional; None if it does, or is not installed."""
    try:
        from pyscf.dft import libxc
        from pyscf.scf.dispersion import parse_dft
    except ImportError:
        return None
    try:
        libxc.parse_xc(parse_dft(functional)[0])
    except Exception as error:
        return error
    return None


def basis_error(basis: str) -> Exception | None:
    """Why PySCF does not know a basis set; None if it does, or is not installed."""
    try:
        from pyscf.gto.basis import load
    except ImportError:
        return None
    try:
        load(basis, "H")
    except Exception as error:
        return error
    return None


def _import_pyscf():
    parts = ("lib", "gto", "dft")
    return tuple(required(f"pyscf.{part}", "labelling by DFT") for part in parts)
