"""One question for many frames, answered here, by several processes, or by a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ase import Atoms

from interpmd.attribution.gauges.base import Gauge
from interpmd.attribution.kinds import Chemistry
from interpmd.attribution.methods.dispatch import explain
from interpmd.attribution.models import Model, as_model
from interpmd.attribution.over_time.collected import Collected, Row
from interpmd.attribution.targets import Target
from interpmd.errors import CalculationError
from interpmd.reference.on_cluster import workers_of
from interpmd.reference.remote import Killed, Shared
from interpmd.reference.workers import spread
from interpmd.structures.fragments import Fragments
from interpmd.structures.threads import one_thread

#: Most frames that go to a worker together, and how many times each has its turn at least.
TOGETHER, TURNS = 10, 8


@dataclass(frozen=True, eq=False)
class Asked:
    """What is asked of every frame.

    Attributes:
        model, method, order, context, gauge, options: as of `explain`.
        by: what the rows are.
        molecules, chemistry: as of `Collected`.
    """

    model: Any
    method: str | None
    order: int | str | None
    context: str
    gauge: Gauge
    options: dict[str, Any]
    by: str
    molecules: Fragments
    chemistry: Chemistry | None

    @cached_property
    def wrapped(self) -> Model:
        """The model with the tables that it remembers."""
        return as_model(self.model)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "wrapped"}

    def row(self, atoms: Atoms, target: Target | None) -> Row:
        """What is kept of one frame."""
        found = explain(
            self.wrapped,
            atoms,
            target,
            self.method,
            self.order,
            self.context,
            gauge=self.gauge,
            progress=False,
            **self.options,
        )
        return Collected(self.by, self.molecules, self.chemistry).add(found)


def rows(
    asked: Asked,
    frames: Sequence[tuple[int, Atoms, Target | None]],
    workers: int | None = None,
    client: Any = None,
) -> Iterator[Row]:
    """What is kept of each frame, in their order.

    Args:
        asked: the question.
        frames: number, structure and target of each.
        workers, client: see `interpmd.reference.workers.spread`.

    Raises:
        CalculationError: processes were killed at one frame again and again.
        Others: see `spread` and `explain`.
    """
    hands = workers_of(client) if client is not None else workers or 1
    size = 1 if hands == 1 else max(1, min(TOGETHER, len(frames) // (TURNS * hands)))
    parts = [frames[start : start + size] for start in range(0, len(frames), size)]
    shared = Shared(asked)
    jobs = [(shared, [(atoms, target) for _, atoms, target in part]) for part in parts]
    names = [f"frame {part[0][0]}" for part in parts]
    for name, found in zip(names, spread(_rows, jobs, names, workers, client), strict=True):
        if isinstance(found, Killed):
            raise CalculationError(f"{name} was not explained: {found}")
        yield from found


@one_thread()  # small tensors: more threads are slower
def _rows(shared: Shared[Asked], frames: Sequence[tuple[Atoms, Target | None]]) -> list[Row]:
    return [shared.value.row(atoms, target) for atoms, target in frames]
