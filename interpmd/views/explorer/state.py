"""The explorer without its widget: frames, questions and answers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError
from jaxtyping import Float

from interpmd.attribution.contributions import direction_of
from interpmd.attribution.explanation import Explanation
from interpmd.attribution.methods.dispatch import explain
from interpmd.attribution.methods.registry import METHODS
from interpmd.attribution.targets import Energy, Force
from interpmd.dynamics import Trajectory
from interpmd.errors import FramesError
from interpmd.views.explorer.answers import Answer, answer, energy_split
from interpmd.views.explorer.memory import Remembering
from interpmd.views.explorer.questions import Question

#: Stored forces are the model's own if they differ from its forces by no more than this in eV/Å.
SAME_FORCE = 1e-4
#: Answers that are kept.
ANSWERS = 4000


class State:
    """Frames, and the answers to questions about them, each computed when it is first needed.

    Args:
        model: what `explain` takes: a Potential, an ASE calculator, a TorchModel.
        trajectory: a `Trajectory`, frames of one structure, or a single structure.

    Raises:
        FramesError: no frames, or frames with different atoms.
        ModelError: the model gives no energies and forces.
    """

    def __init__(self, model: Any, trajectory: Trajectory | Sequence[Atoms] | Atoms) -> None:
        self.frames = [trajectory] if isinstance(trajectory, Atoms) else list(trajectory)
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

    def __len__(self) -> int:
        return len(self.frames)

    def settled(self, question: Question, frame: int = 0) -> Question:
        """The question with what it left open chosen; see `Question.settled`."""
        return question.settled(self.frames[frame])

    def explanation(self, question: Question, frame: int, error_bars: bool = False) -> Explanation:
        """What `explain` says, whatever the grouping."""
        atoms = self.frames[frame]
        question = question.settled(atoms)
        target, options = question.ask(atoms), {}
        if METHODS[question.method].error_bars:
            # those of energies come with the table
            options["error_bars"] = error_bars or isinstance(target, Energy)
        key = (str((target, question.method, question.order, options)), frame)
        if key not in self._explained:
            self._explained[key] = explain(
                self.model, atoms, target, question.method, order=question.order, **options
            )
            if len(self._explained) > ANSWERS // 10:
                self._explained.popitem(last=False)
        return self._explained[key]

    def answer(self, question: Question, frame: int, error_bars: bool = False) -> Answer:
        """Bars and lines of a question at a frame.

        Args:
            question, frame: what is asked.
            error_bars: whether to wait for error bars of forces, which take time; if not, the
                answer has them only where they were asked for before.

        Raises:
            TargetError, MethodError: the question has no answer; the message says why.
        """
        question = question.settled(self.frames[frame])
        key = (question.key, frame)
        late = error_bars and self.doubtful(question)
        if key not in self._answers or (late and self._answers[key].total_std is None):
            explanation = self.explanation(question, frame)
            samples = self._samples(explanation, question, frame) if late else None
            energies, forces = self.model.evaluate([self.frames[frame]])
            # at the order of the table that the answer was read from, so that there is one table
            order = None if METHODS[question.method].whole_table else question.order
            whole = explain(self.model, self.frames[frame], Energy(), order=order)
            self._answers[key] = answer(
                explanation,
                question,
                frame,
                energy_split(whole),
                float(energies[0]),
                forces[0],
                samples,
            )
            if len(self._answers) > ANSWERS:
                self._answers.popitem(last=False)
        return self._answers[key]

    def doubtful(self, question: Question) -> bool:
        """Whether there are error bars that only a slow answer has."""
        potential = self.model.potential
        return (
            question.target != "energy"
            and potential is not None
            and METHODS[question.method].error_bars
            and potential.n_samples > 0
        )

    def _samples(
        self, explanation: Explanation, question: Question, frame: int
    ) -> Float[np.ndarray, "clusters samples"] | None:
        """Samples of the posterior; of vectors along the direction in which the answer counts."""
        if explanation.values.ndim == 1:
            return self.explanation(question, frame, error_bars=True).samples
        target, direction = explanation.target, direction_of(explanation.predicted)
        if isinstance(target, Force):
            target = replace(target, along=tuple(direction.tolist()))
        return explain(
            self.model, explanation.atoms, target, question.method, order=question.order
        ).samples

    def known(self, question: Question) -> list[int]:
        """Frames for which the answer is there."""
        settled = question.settled(self.frames[0])
        return [f for f in range(len(self)) if (settled.key, f) in self._answers]

    def answers(
        self,
        question: Question,
        frames: Iterable[int] | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> list[Answer]:
        """Answers for several frames, all if None."""
        answers = []
        for frame in range(len(self)) if frames is None else frames:
            answers.append(self.answer(question, frame))
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
