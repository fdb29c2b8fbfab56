"""What every level of theory gives and needs: results, and how its programs are reached."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from typing import Protocol, runtime_checkable

import numpy as np
from ase import Atoms

from interpmd.errors import CalculationError


@dataclass(frozen=True)
class Result:
    """What a calculation gives for one structure.

    energy: total energy in eV. forces: (atoms, 3) in eV/Å. stress: Voigt vector (6) in eV/Å³
    for a cell that is periodic in three directions where the method has one, else None.
    """

    energy: float
    forces: np.ndarray
    stress: np.ndarray | None = None


@runtime_checkable
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


def checked(result: Result, name: str) -> Result:
    """The result, or CalculationError where a number is not finite."""
    if not (np.isfinite(result.energy) and np.isfinite(result.forces).all()):
        raise CalculationError(f"{name} returned numbers that are not finite")
    return result


def version(package: str) -> str:
    """Version of an installed package, or "missing"."""
    try:
        return re.sub(r"\+.*", "", installed(package))
    except PackageNotFoundError:
        return "missing"


@contextmanager
def one_openmp_thread() -> Iterator[None]:
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
