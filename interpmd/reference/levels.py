"""The levels of theory that :func:`interpmd.label` knows: GFN-xTB by tblite, DFT by PySCF.

A level is a frozen description with one verb, ``evaluate``: atoms in, energy and forces out.
tblite and PySCF are imported when a level is first evaluated, so that importing interpmd stays
fast and both may be missing.

Sources: GFN1-xTB, Grimme, Bannwarth, Shushkov, J. Chem. Theory Comput. 13, 1989 (2017);
GFN2-xTB, Bannwarth, Ehlert, Grimme, J. Chem. Theory Comput. 15, 1652 (2019);
PySCF, Sun et al., J. Chem. Phys. 153, 024109 (2020).
"""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from ase import Atoms, units

from interpmd.errors import (
    CalculationError,
    MissingPackageError,
    UnknownLevelError,
)

if TYPE_CHECKING:
    import pandas

XTB_METHODS = {"gfn1-xtb": "GFN1-xTB", "gfn2-xtb": "GFN2-xTB"}
DFT_EXAMPLES = ("wb97x-d3bj/def2-svp", "pbe/def2-svp", "b3lyp-d4/def2-tzvp", "hf/sto-3g")
XTB_ACCURACY = 0.01
SCF_TOLERANCE = 1e-9  # hartree
GRID_LEVEL = 3


@dataclass(frozen=True)
class Result:
    """What a calculation gives for one structure.

    energy: total energy in eV. forces: (atoms, 3) in eV/Å. stress: Voigt vector (6) in eV/Å³
    for a cell that is periodic in three directions where the method has one, else None.
    """

    energy: float
    forces: np.ndarray
    stress: np.ndarray | None = None


class Level(Protocol):
    """A level of theory that can be evaluated."""

    @property
    def name(self) -> str:
        """In lower case, as written into labelled frames."""
        ...

    @property
    def code(self) -> str:
        """The program and its version, such as ``tblite 0.8.0``."""
        ...

    def evaluate(self, atoms: Atoms, charge: int = 0, multiplicity: int = 1) -> Result:
        """Energy (eV) and forces (eV/Å) of one structure; raises CalculationError."""
        ...


@dataclass(frozen=True)
class XTB:
    """Extended tight binding through the library tblite, one thread."""

    name: str

    @property
    def code(self) -> str:
        """Program and version."""
        return f"tblite {_version('tblite')}"

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
        return _checked(Result(energy, forces.reshape(-1, 3), stress), self.name)


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
        return f"pyscf {_version('pyscf')}, pyscf-dispersion {_version('pyscf-dispersion')}"

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
        return _checked(Result(float(scf.e_tot) * units.Hartree, forces), self.name)


def resolve(level: str) -> Level:
    """The level of theory of that name, such as ``"gfn2-xtb"`` or ``"wb97x-d3bj/def2-svp"``.

    Raises UnknownLevelError (with what exists) for a name that is neither a tight-binding
    method nor functional/basis, and, where PySCF is installed, for a functional or basis set
    that it does not know.
    """
    name = str(level).strip().lower()
    if name in XTB_METHODS:
        return XTB(name)
    functional, slash, basis = name.partition("/")
    if not (slash and functional and basis):
        raise UnknownLevelError(f"unknown level of theory {level!r}; {_what_exists()}")
    _check_functional(functional, level)
    _check_basis(basis, level)
    return DFT(name, functional, basis)


def available_levels() -> pandas.DataFrame:
    """A table of levels of theory: name, kind, program, stress, whether it is installed.

    DFT takes any functional and basis set that PySCF knows; the rows are examples.
    """
    import pandas

    rows = [
        {"level": name, "kind": "tight binding", "program": "tblite", "stress": True}
        for name in XTB_METHODS
    ] + [
        {"level": name, "kind": "DFT (functional/basis)", "program": "pyscf", "stress": False}
        for name in DFT_EXAMPLES
    ]
    for row in rows:
        row["installed"] = _version(row["program"]) != "missing"
    return pandas.DataFrame(rows)


def _checked(result: Result, name: str) -> Result:
    if not (np.isfinite(result.energy) and np.isfinite(result.forces).all()):
        raise CalculationError(f"{name} returned numbers that are not finite")
    return result


def _what_exists() -> str:
    return (
        f"available: {', '.join(XTB_METHODS)}, or DFT as 'functional/basis', for example "
        f"{', '.join(DFT_EXAMPLES)}"
    )


def _check_functional(functional: str, level: str) -> None:
    try:
        from pyscf.dft import libxc
        from pyscf.scf.dispersion import parse_dft
    except ImportError:
        return
    try:
        bare = parse_dft(functional)[0]
        libxc.parse_xc(bare)
    except Exception as error:
        raise UnknownLevelError(
            f"unknown functional {functional!r} in {level!r} ({error}); {_what_exists()}"
        ) from error


def _check_basis(basis: str, level: str) -> None:
    try:
        from pyscf.gto.basis import load
    except ImportError:
        return
    try:
        load(basis, "H")
    except Exception as error:
        raise UnknownLevelError(
            f"unknown basis set {basis!r} in {level!r}; {_what_exists()}"
        ) from error


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return re.sub(r"\+.*", "", version(package))
    except PackageNotFoundError:
        return "missing"


def missing(package: str) -> MissingPackageError:
    """The error for a package of the extra ``reference`` that is not installed."""
    return MissingPackageError(
        f"{package} is not installed; quantum labels need: pip install interpmd[reference]"
    )


@contextmanager
def one_openmp_thread():
    """Libraries and processes started in this context use one OpenMP thread."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _import_tblite():
    # tblite brings its own OpenMP runtime, which reads the environment once, when it is loaded
    try:
        with one_openmp_thread():
            from tblite import interface
    except ImportError as error:
        raise missing("tblite") from error
    return interface


def _import_pyscf():
    try:
        from pyscf import dft, gto, lib
    except ImportError as error:
        raise missing("pyscf") from error
    return lib, gto, dft
