"""Isolated atoms: recognised by their geometry, and refused where they contradict each other."""

from __future__ import annotations

from ase import Atoms

from interpmd.errors import LabelError
from interpmd.structures.edges import nearest_distances

#: An atom in a box is isolated if its images are at least this far away, in Å.
FAR = 8.0

#: Images nearer than this (Å) belong to a crystal.
NEAR = 5.0

#: Spellings of a mark: letters alone, lower case.
MARKS = {"isolated", "isolatedatom", "isolatedatoms", "singleatom", "singleatoms", "freeatom", "e0"}


def is_marked(atoms: Atoms) -> bool:
    """Whether the info of a frame calls it an isolated atom, in any spelling."""
    for key in ("config_type", "subset", "type", "tag"):
        word = "".join(c for c in str(atoms.info.get(key, "")).lower() if c.isalnum())
        if word in MARKS:
            return True
    return False


def is_isolated(atoms: Atoms) -> bool:
    """Whether a frame is one atom that has no neighbour and no image of itself nearby."""
    if len(atoms) != 1:
        return False
    if not atoms.pbc.any() or is_marked(atoms):
        return True
    return image_distance(atoms) >= FAR


def image_distance(atoms: Atoms) -> float:
    """Distance of an atom to its nearest image in Å, at most `FAR`."""
    return float(nearest_distances(atoms, FAR)[0])


def check_marks(atoms: Atoms, name: str) -> None:
    """Raise LabelError if a frame is called an isolated atom and is none.

    Args:
        atoms: a frame. name: of it, for the message.
    """
    if not is_marked(atoms):
        return
    if len(atoms) > 1:
        raise LabelError(
            f"{name} ({atoms.symbols}) is called an isolated atom but has {len(atoms)} atoms; "
            "correct its config_type"
        )
    if atoms.pbc.any() and (distance := image_distance(atoms)) < NEAR:
        raise LabelError(
            f"{name} ({atoms.symbols}) is called an isolated atom, but its images are only "
            f"{distance:.3g} Å away; label it in a larger cell, or correct its config_type"
        )
