"""The main job in one go, and the molecule that it is shown on."""

from interpmd.demo.molecule import FIRST, MALONALDEHYDE, PROTON, SECOND, transfer_coordinate
from interpmd.demo.story import Demo, run_demo

__all__ = [
    "FIRST",
    "MALONALDEHYDE",
    "PROTON",
    "SECOND",
    "Demo",
    "run_demo",
    "transfer_coordinate",
]
