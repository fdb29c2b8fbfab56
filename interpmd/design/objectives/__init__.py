"""What can be sought: shipped objectives, and any function of a relaxed structure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ase import Atoms

from interpmd.arguments import meant
from interpmd.design.objectives.base import Objective, OfStructure, State
from interpmd.design.objectives.electrons import Dipole, Gap
from interpmd.design.objectives.hydrogen_bond import HydrogenBond
from interpmd.design.objectives.partners import Interaction, ProtonAffinity
from interpmd.design.objectives.strain import RingStrain
from interpmd.design.objectives.turned import ConformerGap, RotationBarrier
from interpmd.errors import DesignError

__all__ = [
    "ConformerGap",
    "Dipole",
    "Gap",
    "HydrogenBond",
    "Interaction",
    "Objective",
    "OfStructure",
    "ProtonAffinity",
    "RingStrain",
    "RotationBarrier",
    "State",
    "objective_of",
]

#: Objectives by name, and how many atoms of the scaffold each has to be told.
NAMED: dict[str, tuple[Callable[..., Objective], int]] = {
    "hydrogen_bond": (HydrogenBond, 2),
    "rotation_barrier": (lambda *four: RotationBarrier(tuple(four)), 4),
    "conformer_gap": (lambda *four: ConformerGap(tuple(four)), 4),
    "proton_affinity": (ProtonAffinity, 1),
    "interaction": (Interaction, 1),
    "ring_strain": (RingStrain, 1),
    "dipole": (Dipole, 0),
    "gap": (Gap, 0),
}


def objective_of(
    given: str | Objective | Callable[[Atoms], float], atoms: Sequence[int] = ()
) -> Objective:
    """An objective by name, as it is, or from a function of a relaxed structure.

    Args:
        given: a name of `NAMED`, an objective, or a function.
        atoms: numbers of atoms in the scaffold, for names: the hydrogen and the acceptor of a
            hydrogen bond, the four of a torsion, the one of the others.

    Raises:
        DesignError: no such name, or another number of atoms.
    """
    if isinstance(given, Objective):
        return given
    if not isinstance(given, str):
        return OfStructure(given)
    name = given.strip().lower().replace("-", "_").replace(" ", "_")
    if name not in NAMED:
        raise DesignError(
            f"there is no objective {given!r}{meant(name, NAMED)}; known: {', '.join(NAMED)}, or "
            "any function of a structure"
        )
    make, count = NAMED[name]
    if len(atoms) != count:
        raise DesignError(
            f"{name} takes the numbers of {count} atoms of the scaffold, not {list(atoms)}"
        )
    return make(*map(int, atoms))
