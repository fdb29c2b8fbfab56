"""Quantum reference data: labels (GFN-xTB, DFT), sampling of geometries, isolated atoms.

The programs behind it come with ``pip install interpmd[reference]``; importing this package
needs none of them.
"""

from interpmd.reference.labelling import check_structure, isolated_atoms, label
from interpmd.reference.methods import available_methods
from interpmd.reference.sampling import sample

__all__ = ["available_methods", "check_structure", "isolated_atoms", "label", "sample"]
