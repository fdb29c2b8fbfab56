"""A look at the extrapolation grade beside energies and forces, so that nothing passes in silence.

The grade costs a few force calls, so that it is looked at with few samples of the posterior, and
not every time: for each of the first structures, where forces are far above those of structures
that were fine, and else every n-th time. What few samples doubt is graded again with all of them,
and the user is warned once: in a run, or for each line of code that asks. In a line that was warned
forces count no more.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING

import numpy as np
import torch
from ase import Atoms
from ase.data import chemical_symbols
from jaxtyping import Float

from interpmd.errors import ExtrapolationWarning
from interpmd.potentials import fast
from interpmd.potentials.asking import Place, asked_from
from interpmd.potentials.uncertainty import Uncertainty, uncertainty
from interpmd.structures.systems import Batch

if TYPE_CHECKING:
    from interpmd.potentials.sum import TermSum

#: Grade above which the user is warned: 98 % of new frames like the training data stay below 1, and
#: a long run of a structure that it suits goes a little beyond.
DOUBTFUL = 1.5

#: Structures that are all looked at, then one of so many; forces so many times larger than those
#: of structures that were fine are looked at in any case.
FIRST, EVERY, LARGER = 10, 50, 2.0

#: Samples of the posterior for the first look.
DRAWS = 4

#: Atoms up to which automatic differentiation, which holds all samples at once, is asked.
MOST_ATOMS = 1000

_watching: ContextVar[bool] = ContextVar("watching", default=True)


@contextlib.contextmanager
def unwatched() -> Iterator[None]:
    """Look at nothing inside: for structures that a check makes up, such as an atom far away."""
    before = _watching.set(False)
    try:
        yield
    finally:
        _watching.reset(before)


class GradeWatch:
    """Looks at the grades of what a potential evaluates, and warns.

    Args:
        once: whether to warn once in all, as in a run, or once for every line of the user's code.

    Attributes:
        told: lines that were warned.
    """

    def __init__(self, once: bool = False) -> None:
        self.once = once
        self._calls, self._looks = 0, 0
        self._fine, self._apart = 0.0, False
        self.told: set[Place] = set()

    def look(
        self,
        potential: TermSum,
        structures: Atoms | Batch,
        forces: Float[np.ndarray, "atoms 3"] | None = None,
    ) -> float | None:
        """Look at structures if it is time for it, and warn where they are beyond the data.

        Args:
            potential: whose posterior is asked.
            structures: that it evaluates.
            forces: on their atoms in eV/Å; it is always time if None.

        Returns:
            The largest grade of an atom; None if it was not looked at, as in `unwatched`.

        Warns:
            ExtrapolationWarning: names the atom and its grade; in a run also where the structure
                falls into parts beyond the cutoff.
        """
        if (self.once and self.told) or not _watching.get():
            return None
        largest = np.inf if forces is None else float(np.abs(forces).max(initial=0.0))
        self._calls += 1
        early, due = self._looks < FIRST, self._calls >= EVERY
        if not (early or due or largest > LARGER * self._fine) or not potential.n_samples:
            return None
        if not early and not due and forces is not None and asked_from() in self.told:
            return None  # who goes on after the warning does not pay for it at every step
        self._calls, self._looks = 0, self._looks + 1
        seen = fast.glance(potential, structures, DRAWS) if isinstance(structures, Atoms) else None
        if seen is None or seen[0] > 1:
            batch = structures
            if not isinstance(batch, Batch):  # checked when it was evaluated
                batch = Batch.from_ase([batch], potential.dtype, potential.device)
            if batch.n_atoms > MOST_ATOMS and batch.positions.dtype != torch.float64:
                return None
            bars = _bars(potential, batch, few=seen is None)
            seen = float(bars.extrapolation.max()), int(bars.parts.max())
            if seen[0] > DOUBTFUL:
                self._warn(potential, batch, int(bars.extrapolation.argmax()), seen[0])
                return seen[0]
        grade, parts = seen
        if self.once and parts > 1:
            self._warn_of_parts(potential, parts)
        elif forces is not None:
            self._fine = max(self._fine, largest)
        return grade

    def _warn(self, potential: TermSum, batch: Batch, atom: int, grade: float) -> None:
        place, own = asked_from(), watch_of(potential)
        known = place in own.told  # a run and what explains it may stand in one line
        own.told.add(place)
        self.told.add(place)
        if known:
            return
        structure = int(batch.structure[atom])
        where = f" of structure {structure}" * (batch.n_structures > 1)
        number = atom - int((batch.structure < structure).sum())
        warnings.warn_explicit(
            f"atom {number} ({chemical_symbols[int(batch.numbers[atom])]}){where} is unlike the "
            f"training data (extrapolation grade {grade:.1f}); do not trust this structure",
            ExtrapolationWarning,
            *place,
        )

    def _warn_of_parts(self, potential: TermSum, parts: int) -> None:
        """Once in a run, where no term reaches from one part to the other."""
        if self._apart or potential.global_terms:
            return
        self._apart = True
        warnings.warn_explicit(
            f"{parts} parts of the structure lie further apart than the cutoff of the potential, "
            "which says nothing of what they do to each other",
            ExtrapolationWarning,
            *asked_from(),
        )


def _bars(potential: TermSum, batch: Batch, few: bool) -> Uncertainty:
    """Error bars with all samples, or with a few of them where these doubt nothing."""
    bars = uncertainty(potential, batch, draws=DRAWS if few else None)
    if few and float(bars.extrapolation.max()) > 1:
        bars = uncertainty(potential, batch)
    return bars


def watch_of(potential: TermSum) -> GradeWatch:
    """The watch of a potential's own calls, kept with it."""
    known = potential.__dict__.get("_watch")
    if known is None:
        known = potential.__dict__["_watch"] = GradeWatch()
    return known
