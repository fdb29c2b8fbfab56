"""The explorer without its widget: frames, questions and answers."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError
from jaxtyping import Float

from interpmd import arguments
from interpmd.attribution.contributions import direction_of
from interpmd.attribution.explanation import Explanation
from interpmd.attribution.gauges.base import Gauge
from interpmd.attribution.methods.dispatch import explain
from interpmd.attribution.methods.registry import METHODS
from interpmd.attribution.over_time.drivers import covariance_shares
from interpmd.attribution.over_time.frames import explain_trajectory
from interpmd.attribution.targets import Energy, Target
from interpmd.dynamics import Trajectory
from interpmd.errors import ArgumentError, FramesError, TrajectoryError
from interpmd.structures.coordinates import Coordinates
from interpmd.structures.files import read_frames
from interpmd.structures.groups import Grouping
from interpmd.views.explorer.answers import Answer, answer, energy_split, subject_of
from interpmd.views.explorer.comparison import Beside, Comparison, compare
from interpmd.views.explorer.gauges import Gauges
from interpmd.views.explorer.headline import of_changes
from interpmd.views.explorer.memory import Remembering
from interpmd.views.explorer.questions import Question

#: Stored forces are the model's own if they differ from its forces by no more than this in eV/Å.
SAME_FORCE = 1e-4
#: Frames that are looked at for the largest force, and for what drives the changes.
SAMPLED = 200
#: Answers that are kept.
ANSWERS = 4000


class State:
    """Frames, and the answers to questions about them, each computed when it is first needed.

    Args:
        model: what `explain` takes: a Potential, an ASE calculator, a TorchModel.
        trajectory: a `Trajectory`, frames of one structure, or a single structure.
        gauge: one that is ready, which then goes by its name.
        models: others to compare with, by name.

    Raises:
        FramesError: no frames, or frames with different atoms.
        ModelError: a model gives no energies and forces.
    """

    def __init__(
        self,
        model: Any,
        trajectory: Trajectory | Sequence[Atoms] | Atoms,
        gauge: Gauge | Grouping | Coordinates | None = None,
        models: Mapping[str, Any] | None = None,
    ) -> None:
        self.frames = read_frames(trajectory)
        if not self.frames:
            raise FramesError("there is no frame to show")
        first = self.frames[0]
        for index, atoms in enumerate(self.frames):
            if len(atoms) != len(first) or (atoms.numbers != first.numbers).any():
                raise FramesError(f"frame {index} has other atoms than the first")
        given = getattr(trajectory, "times", None)
        self.times = np.arange(len(self.frames), dtype=float) if given is None else np.array(given)
        self.timed = given is not None
        self.model = Remembering(model)
        self._answers: OrderedDict[tuple[str, int], Answer] = OrderedDict()
        self._explained: OrderedDict[tuple[str, int], Explanation] = OrderedDict()
        self.gauges = Gauges(self.frames, gauge)
        self.given = self.gauges.given
        self._drivers: dict[str, str | None] = {}
        self.others = {name: self._of(other) for name, other in (models or {}).items()}

    def _of(self, model: Any) -> State:
        """The same frames and gauges with another model."""
        other = State(model, self.frames)
        other.gauges, other.given = self.gauges, self.given
        return other

    def __len__(self) -> int:
        return len(self.frames)

    def check_frame(self, frame: Any) -> None:
        """Raise ArgumentError unless there is a frame of this number."""
        arguments.count(0, frame=frame)
        if frame >= len(self):
            raise ArgumentError(f"frame={frame}: frames are 0 to {len(self) - 1}")

    def settled(self, question: Question, frame: int = 0) -> Question:
        """The question with what it left open chosen: gauge, method and order, and those of
        `Question.settled`."""
        question = question.settled(self.frames[frame])
        if question.reference is not None and not 0 <= question.reference < len(self):
            raise FramesError(
                f"there is no frame {question.reference} to compare with: frames are 0 to "
                f"{len(self) - 1}"
            )
        made = self.gauges.of(question)
        order = question.order
        if order == "auto" and made.name != "internal":
            order = made.default_order
        method = made.method if question.method is None else question.method
        return replace(question, gauge=made.name, method=method, order=order)

    def explanation(self, question: Question, frame: int, error_bars: bool = False) -> Explanation:
        """What `explain` says, whatever the grouping."""
        atoms = self.frames[frame]
        question = self.settled(question, frame)
        return self._explain(question, frame, question.ask(atoms), error_bars)

    def _explain(
        self, question: Question, frame: int, target: Target, error_bars: bool
    ) -> Explanation:
        options: dict[str, Any] = {}
        if METHODS[question.method or ""].error_bars:
            # those of energies of atoms come with the table
            cheap = isinstance(target, Energy) and question.gauge == "atoms"
            options["error_bars"] = error_bars or cheap
        asked = (target, question.gauge, question.method, question.order, question.reference)
        key = (str((*asked, options)), frame)
        if key not in self._explained:
            reference = None if question.reference is None else self.frames[question.reference]
            self._explained[key] = explain(
                self.model,
                self.frames[frame],
                target,
                question.method,
                question.order,
                gauge=self.gauges.of(question),
                reference=reference,
                progress=False,
                **options,
            )
            if len(self._explained) > ANSWERS // 10:
                self._explained.popitem(last=False)
        return self._explained[key]

    def answer(
        self,
        question: Question,
        frame: int,
        error_bars: bool = False,
        along: tuple[float, ...] | None = None,
    ) -> Answer:
        """Bars and lines of a question at a frame.

        Args:
            question, frame: what is asked.
            error_bars: whether to wait for error bars of forces, which take time; if not, the
                answer has them only where they were asked for before.
            along: direction along which a force counts that has none of its own; its own if None.

        Raises:
            TargetError, MethodError: the question has no answer; the message says why.
        """
        question = self.settled(question, frame)
        key = (question.key if along is None else f"{question.key} along {along}", frame)
        late = error_bars and self.doubtful(question)
        if key not in self._answers or (late and self._answers[key].total_std is None):
            explanation = self.explanation(question, frame)
            energies, forces = self.model.evaluate([self.frames[frame]])
            self._answers[key] = answer(
                explanation,
                question,
                frame,
                self._split(question, frame),
                float(energies[0]),
                forces[0],
                self.gauges.names(explanation, question),
                self._doubt(explanation, question, frame, along) if late else None,
                None if along is None else np.array(along),
            )
            if len(self._answers) > ANSWERS:
                self._answers.popitem(last=False)
        if error_bars:
            self.changes(question)
        words = self._drivers.get(_over_time(question)) if question.reference is None else None
        if words and words != self._answers[key].headline:
            self._answers[key] = replace(self._answers[key], headline=words)
        return self._answers[key]

    def _split(self, question: Question, frame: int) -> dict[str, dict[str, float]]:
        """The energy by term and order, where the answer is read from the table of atoms."""
        if question.gauge != "atoms":
            return {"term": {}, "order": {}}
        # at the order of the table that the answer was read from, so that there is one table
        order = None if METHODS[question.method or ""].whole_table else question.order
        return energy_split(explain(self.model, self.frames[frame], Energy(), order=order))

    def changes(self, question: Question) -> str | None:
        """The largest driver of the changes over all frames in words, where that takes seconds.

        That is so for rows of forces of a potential in the gauge "internal".
        """
        question = self.settled(question)
        key = _over_time(question)
        if key in self._drivers:
            return self._drivers[key]
        self._drivers[key] = None
        cheap = question.gauge == "internal" and self.model.potential is not None
        if not cheap or len(self) < 3 or question.target == "energy":
            return None
        some = list(range(0, len(self), -(-len(self) // SAMPLED)))
        table = explain_trajectory(
            self.model,
            [self.frames[f] for f in some],
            question.ask(self.frames[0]),
            question.method,
            question.order,
            progress=False,
            gauge=self.gauges.of(question),
            error_bars=False,
        )
        with contextlib.suppress(TrajectoryError):  # nothing changes, so that nothing drives
            found = covariance_shares(table)
            subject = subject_of(self.frames[0], question, question.ask(self.frames[0]))
            [name] = self.gauges.seen_from([str(found.shares.index[0])], question)
            self._drivers[key] = of_changes(found, subject, name)
        return self._drivers[key]

    def opened(self, atom: int | None = None, other: int | None = None) -> tuple[int, int]:
        """Frame and atom of the largest force, or the frame where that on one atom is largest.

        Where another atom is given, only the force towards it or away from it counts.

        Where forces are neither stored nor cheap it is the first frame.
        """
        forces = self.stored_forces()
        if not np.isfinite(forces).all() and (self.model.potential is not None or len(self) == 1):
            some = list(range(0, len(self), -(-len(self) // SAMPLED)))
            forces[some] = self.model.evaluate([self.frames[f] for f in some])[1]
        sizes = np.nan_to_num(np.linalg.norm(forces, axis=-1))
        if atom is not None:
            if not 0 <= atom < sizes.shape[1]:
                return 0, atom
            size = sizes[:, atom]
            if other is not None and 0 <= other < sizes.shape[1] and other != atom:
                ways = [a.get_distance(atom, other, mic=True, vector=True) for a in self.frames]
                lengths = np.maximum(np.linalg.norm(ways, axis=1), 1e-9)
                along = np.einsum("fx,fx->f", np.nan_to_num(forces[:, atom]), ways) / lengths
                size = np.abs(along)
            return int(size.argmax()), atom
        # forces that symmetry makes equal differ by rounding: the first of them
        frame, largest = np.argwhere(sizes >= sizes.max() - 1e-6)[0]
        return int(frame), int(largest)

    def doubtful(self, question: Question) -> bool:
        """Whether there are error bars that only a slow answer has."""
        potential = self.model.potential
        question = self.settled(question)
        return (
            (question.target != "energy" or question.gauge != "atoms")
            and potential is not None
            and METHODS[question.method or ""].error_bars
            and potential.n_samples > 0
        )

    def late(self, question: Question) -> bool:
        """Whether a slow answer says more than a quick one: error bars, or what drives."""
        over_time = _over_time(self.settled(question)) not in self._drivers and len(self) > 2
        return over_time or self.doubtful(question)

    def _doubt(
        self,
        explanation: Explanation,
        question: Question,
        frame: int,
        along: tuple[float, ...] | None = None,
    ) -> Explanation:
        """With samples of the posterior; of vectors along the direction of the answer."""
        target = explanation.target
        if explanation.values.ndim > 1:
            direction = direction_of(explanation.predicted if along is None else np.array(along))
            target = replace(target, along=tuple(direction.tolist()))
        return self._explain(question, frame, target, error_bars=True)

    def comparison(
        self, question: Question, frame: int, beside: str, error_bars: bool = False
    ) -> Comparison:
        """The answer beside another one, counted along the same direction.

        Args:
            question, frame: what is asked.
            beside: "frame 3", "gauge atoms", "method shapley" or "model ...", one of `models`.
            error_bars: see `answer`.

        Raises:
            QuestionError: there is no such frame, gauge, method or model.
            TargetError, MethodError, GaugeError: the other side has no answer.
        """
        what = Beside.of(beside, len(self), tuple(self.others))
        asked = self.settled(question, frame)
        first = self.answer(asked, frame, error_bars)
        state = self.others[what.which] if what.kind == "model" else self
        there = int(what.which) if what.kind == "frame" else frame
        free = asked.target in ("force", "fragment")
        along = first.direction if free else None
        other = state.settled(what.question(asked), there)
        second = state.answer(other, there, error_bars, along)
        here = {
            "frame": f"frame {frame}",
            "gauge": f"gauge {first.gauge}",
            "method": f"method {first.method}",
            "model": self.model.name,
        }[what.kind]
        there_name = what.which if what.kind == "model" else beside
        return compare(first, second, (here, there_name))

    def known(self, question: Question) -> list[int]:
        """Frames for which the answer is there."""
        settled = self.settled(question)
        return [f for f in range(len(self)) if (settled.key, f) in self._answers]

    def answers(
        self,
        question: Question,
        frames: Iterable[int] | None = None,
        progress: Callable[[int], None] | None = None,
        error_bars: bool = False,
    ) -> list[Answer]:
        """Answers for several frames, all if None."""
        answers = []
        for frame in range(len(self)) if frames is None else frames:
            answers.append(self.answer(question, frame, error_bars))
            if progress is not None:
                progress(frame)
        return answers

    def stored_forces(self) -> Float[np.ndarray, "frames atoms 3"]:
        """Forces in eV/Å that are stored with the frames, if they are the model's own; else NaN."""
        forces = np.full((len(self), len(self.frames[0]), 3), np.nan)
        for index, atoms in enumerate(self.frames):
            if atoms.calc is None or "forces" not in getattr(atoms.calc, "results", {}):
                continue
            try:
                forces[index] = atoms.get_forces(apply_constraint=False)
            except PropertyNotImplementedError:
                continue
        for index in {0, len(self) - 1}:
            if np.isfinite(forces[index]).all():
                _, own = self.model.evaluate([self.frames[index]])
                if np.abs(own[0] - forces[index]).max() > SAME_FORCE:
                    return np.full_like(forces, np.nan)
        return forces


def _over_time(question: Question) -> str:
    """The choices on which depends what drives the changes; the same less any frame."""
    return replace(question, grouping="interaction", reference=None).key
