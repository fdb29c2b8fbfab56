"""Why the energy or a force is what it is."""

from interpmd.attribution.explain import explain, methods
from interpmd.attribution.explanation import Certificate, Explanation
from interpmd.attribution.targets import Energy, Force

__all__ = ["Certificate", "Energy", "Explanation", "Force", "explain", "methods"]
