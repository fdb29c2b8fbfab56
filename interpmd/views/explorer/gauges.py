"""The gauges of an explorer: each made once for all its frames, so that no name jumps."""

from __future__ import annotations

from collections.abc import Sequence

from ase import Atoms

from interpmd.attribution.explanation import Explanation
from interpmd.attribution.gauges.base import Gauge
from interpmd.attribution.gauges.choice import GAUGES, as_gauge
from interpmd.attribution.kinds import Chemistry, describe, fragment_names, frozen_chemistry
from interpmd.attribution.methods.dispatch import settled_gauge
from interpmd.errors import InterpmdError
from interpmd.structures.chemistry import molecules
from interpmd.structures.coordinates import Coordinates
from interpmd.structures.groups import Grouping
from interpmd.structures.images import seen_from
from interpmd.views.explorer.questions import TARGETS, Question

#: Frames, evenly spaced, for which gauges and names are made.
SEEN = 400


class Gauges:
    """What is absent in each question about some frames.

    Args:
        frames: of one structure.
        given: one that is ready, for its name.

    Attributes:
        given: that name, if there is one.
    """

    def __init__(
        self, frames: Sequence[Atoms], given: Gauge | Grouping | Coordinates | None = None
    ) -> None:
        self.frames = frames[:: -(-len(frames) // SEEN)]
        self._made: dict[str, Gauge] = {}
        self._settled: dict[tuple, str] = {}
        self._chemistry: Chemistry | None = None
        self.given: str | None = None
        if given is not None:
            ready = as_gauge(given, self.frames)
            self._made[ready.name] = ready
            self.given = ready.name

    def of(self, question: Question) -> Gauge:
        """The gauge of a question, by the rule of `explain` where the question leaves it open.

        Raises:
            GaugeError: the structure has none of what the gauge is about.
            TargetError: the question has no target.
        """
        if question.gauge is not None:
            return self._named(question.gauge)
        asked = (question.target == "energy", question.method, question.order)
        if asked not in self._settled:
            target = question.ask(self.frames[0])
            found = settled_gauge(self.frames, target, None, question.method, question.order)
            self._made.setdefault(found.name, found)
            self._settled[asked] = found.name
        return self._made[self._settled[asked]]

    def _named(self, name: str) -> Gauge:
        if name not in self._made:
            self._made[name] = as_gauge(name, self.frames)
        return self._made[name]

    def names(self, explanation: Explanation, question: Question) -> tuple[list[str], list[str]]:
        """Labels and kinds of the rows, the same in all frames; images as the atom sees them."""
        if explanation.kinds_of_terms is not None or explanation.fragments is not None:
            labels, kinds = explanation.labels, explanation.kinds
        else:
            if self._chemistry is None:
                self._chemistry = frozen_chemistry(self.frames)
            labels, kinds, _ = describe(explanation.atoms, explanation.clusters, self._chemistry)
        return self.seen_from(labels, question), kinds

    def seen_from(self, labels: Sequence[str], question: Question) -> list[str]:
        """Labels with the atom of the question, or its molecule, in the home cell."""
        first = self.frames[0]
        if question.target not in ("force", "along") or not first.pbc.any():
            return list(labels)
        names = {f"{first.symbols[question.atom]}{question.atom}"}
        whole = next(m for m in molecules(first) if question.atom in m)
        names |= set(fragment_names(first, [whole]))
        return [seen_from(label, names) for label in labels]

    def offered(self) -> list[dict[str, str]]:
        """The gauges that the structure has, and what absent means in each."""
        known = []
        for name, gauge in GAUGES.items():
            try:
                players = self._named(name).players
            except InterpmdError:
                continue
            if players is not None and len(players) < 2:
                continue
            known.append({"name": name, "absent": gauge.absent, "rows": gauge.rows})
        return known

    def suited(self) -> dict[str, str]:
        """For each target the name of the gauge that is taken unless another is asked for."""
        found = {}
        for target in TARGETS:
            kind = "energy" if target == "energy" else "force"
            found[target] = self.of(Question(kind)).name
        return found
