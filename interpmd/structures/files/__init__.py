"""The gate for all that holds structures, their labels by any name, and places that can be written.

* `gate`: from whatever a user has to a list of `ase.Atoms`
* `foreign`: trajectories of MDAnalysis and MDTraj, and files that need a topology
* `keys`: labels by the names that other programs give them
* `places`: whether a result can be written before it is computed
"""

from interpmd.structures.files.gate import Structures, as_frames, one_structure, read_frames
from interpmd.structures.files.keys import Keys, labelled_frames
from interpmd.structures.files.places import prepare_output, text_format, write_new

__all__ = [
    "Keys",
    "Structures",
    "as_frames",
    "labelled_frames",
    "one_structure",
    "prepare_output",
    "read_frames",
    "text_format",
    "write_new",
]
