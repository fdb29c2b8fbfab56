"""Quantum reference data: labels (GFN-xTB, DFT), sampling of geometries, isolated atoms.

The programs behind it come with ``pip install interpmd[reference]``; importing this package
needs none of them.
"""

from __future__ import annotations

import warnings
from typing import Any

from interpmd.levels import available_levels
from interpmd.reference.checks import check_structure
from interpmd.reference.labelling import isolated_atoms, label
from interpmd.reference.sampling import sample

__all__ = ["available_levels", "check_structure", "isolated_atoms", "label", "sample"]


def __getattr__(name: str) -> Any:
    if name == "available_methods":
        warnings.warn(
            "available_methods() is now available_levels(); the old name will go with the next "
            "release",
            FutureWarning,
            stacklevel=2,
        )
        return available_levels
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
