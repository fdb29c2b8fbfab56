"""What a user of the explorer asks: about which target, in which groups, by which method."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from ase import Atoms

from interpmd.attribution.gauges.choice import GAUGES
from interpmd.attribution.methods.registry import METHODS
from interpmd.attribution.targets import Energy, Force, Target, Torque
from interpmd.errors import QuestionError, TargetError
from interpmd.views.explorer.choices import dihedrals, fragment_around

#: What can be explained, and what the choice is called.
TARGETS = {
    "force": "force on the atom",
    "fragment": "force on its fragment",
    "along": "force towards another atom",
    "energy": "energy",
    "torque": "torque about a bond",
}

#: How contributions are summed, and what the choice is called.
GROUPINGS = {
    "interaction": "single interactions",
    "pair": "pairs (equal shares)",
    "kind": "kinds (bond, angle, …)",
    "fragment": "fragments",
    "order": "body orders",
    "term": "terms of the potential",
}


@dataclass(frozen=True)
class Question:
    """One set of choices, without the frame.

    Attributes:
        target: one of `TARGETS`.
        atom: the chosen atom.
        other: for "along", the atom towards which the force counts as positive; the nearest if
            None.
        dihedral: for "torque", four atoms; the first dihedral with the atom in it if None.
        grouping: one of `GROUPINGS`.
        method: one of `interpmd.methods()`; that of the gauge if None.
        order: largest number of players in a row; None for all, "auto" for what suits the gauge.
        gauge: what "absent" means, one of `interpmd.gauges()`; chosen by the system and the target
            if None, as `explain` does.
        reference: explain the difference from the frame of this number.
    """

    target: str = "force"
    atom: int = 0
    other: int | None = None
    dihedral: tuple[int, ...] | None = None
    grouping: str = "interaction"
    method: str | None = None
    order: int | str | None = "auto"
    gauge: str | None = None
    reference: int | None = None

    def __post_init__(self) -> None:
        choices = {"target": TARGETS, "grouping": GROUPINGS, "method": METHODS, "gauge": GAUGES}
        for name, known in choices.items():
            left_open = name in ("method", "gauge") and getattr(self, name) is None
            if not left_open and getattr(self, name) not in known:
                raise QuestionError(
                    f"no {name} is called {getattr(self, name)!r}; known: {', '.join(known)}"
                )

    @property
    def key(self) -> str:
        """The choices that matter, as text: the same for questions with the same answer."""
        used = asdict(self)
        if self.target == "energy":
            used["atom"] = 0
        if self.target != "along":
            used["other"] = None
        if self.target != "torque":
            used["dihedral"] = None
        return "|".join(str(value) for value in used.values())

    @classmethod
    def of_json(cls, given: dict[str, Any]) -> Question:
        """From what the browser sends."""
        dihedral = given.get("dihedral") or None
        order = given.get("order", "auto") or None
        return cls(
            target=given["target"],
            atom=int(given["atom"]),
            other=None if given.get("other") is None else int(given["other"]),
            dihedral=None if dihedral is None else tuple(int(a) for a in dihedral),
            grouping=given["grouping"],
            method=given.get("method") or None,
            order=order if order in (None, "auto") else int(order),
            gauge=given.get("gauge") or None,
            reference=None if given.get("reference") is None else int(given["reference"]),
        )

    def settled(self, atoms: Atoms) -> Question:
        """The same with `other` and `dihedral` chosen for a structure where they are needed.

        Raises:
            TargetError: there is no such atom, or no dihedral.
        """
        if not 0 <= self.atom < len(atoms):
            raise TargetError(f"there is no atom {self.atom}: atoms are 0 to {len(atoms) - 1}")
        if self.target == "along" and self.other in (None, self.atom):
            if len(atoms) < 2:
                raise TargetError("a force along a line needs a second atom")
            distances = atoms.get_distances(self.atom, range(len(atoms)), mic=True)
            distances[self.atom] = np.inf
            return replace(self, other=int(distances.argmin()))
        if self.target == "torque" and self.dihedral is None:
            choices = dihedrals(atoms)
            if not choices:
                raise TargetError(f"{atoms.symbols} has no bond about which a side could turn")
            with_atom = [dihedral for dihedral in choices if self.atom in dihedral]
            return replace(self, dihedral=(with_atom or choices)[0])
        return self

    def ask(self, atoms: Atoms) -> Target:
        """The target; see `settled` for what it raises."""
        chosen = self.settled(atoms)
        if chosen.target == "energy":
            return Energy()
        if chosen.target == "torque":
            return Torque(chosen.dihedral or ())
        if chosen.target == "fragment":
            return Force(fragment_around(atoms, chosen.atom))
        return Force(chosen.atom, along=chosen.other if chosen.target == "along" else None)
