"""Dynamics that ask the reference where the potential does not know, learn, and go on.

Li, Kermode and De Vita (Phys. Rev. Lett. 114, 096405 (2015)) learn on the fly; Jinnouchi et al.
(Phys. Rev. B 100, 014105 (2019)) let Bayesian error bars say when. Here the calibrated grade of
extrapolation says so (98 % of new frames like the training data stay below 1), and learning is an
update of the normal equations.
"""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from interpmd import arguments
from interpmd.errors import CalculationError, ExtrapolationWarning
from interpmd.fitting import labels
from interpmd.fitting.active.growing import GrowingFit
from interpmd.fitting.kept import KeptEquations
from interpmd.levels import resolve
from interpmd.potentials.asking import warn_where_asked
from interpmd.potentials.fingerprint import fingerprint
from interpmd.potentials.near import grade_of_surroundings
from interpmd.potentials.potential import Potential
from interpmd.potentials.uncertainty import uncertainty
from interpmd.reference.labelling import label
from interpmd.reference.store import FrameStore
from interpmd.storage import file_place
from interpmd.structures.charges import StatefulCalculator
from interpmd.structures.files import Structures, prepare_output

#: Samples of the posterior for the look in every step; what they doubt is graded with all of them.
DRAWS = 4

#: After a label so many steps pass before the next, unless the grade is so many times the limit.
PAUSE, ALARM = 10, 2.0


class LearningCalculator(StatefulCalculator):
    """Energies and forces of a potential that learns while it is used.

    Args:
        fit: what is known so far; it grows.
        level: asked where the grade is above the limit: a level that `im.label` knows, or a
            calculator of the level of the training data.
        grade: extrapolation grade above which it is asked.
        every: steps between two looks with error bars; distances to neighbours are looked at in
            every step.
        most: labels after which it only warns.
        out: extxyz file of the labels. Those that it holds already are learned at once, so that a
            run that is started anew begins with what the one before has learned.

    Attributes:
        log: one entry for each time that the reference was asked.
        calls: structures evaluated so far.

    Raises:
        CalculationError: (when called) the reference fails for a structure.
        LevelMismatchError, LabelSealError: `out` holds other labels, or altered ones.
    """

    implemented_properties: ClassVar[list[str]] = [
        "energy",
        "free_energy",
        "forces",
        "stress",
        "forces_std",
    ]
    reads_charge = True

    def __init__(
        self,
        fit: GrowingFit,
        level: str | Calculator,
        grade: float = 1.0,
        every: int = 5,
        most: int = 200,
        out: str | Path | None = None,
    ) -> None:
        super().__init__()
        arguments.positive(grade=grade)
        arguments.count(every=every, most=most)
        self.fit, self.level, self.limit = fit, level, grade
        self.every, self.most = every, most
        self.out = None if out is None else file_place(out)
        if self.out is not None:
            prepare_output(self.out)
        self.log: list[dict[str, Any]] = []
        self.calls = 0
        self._warned, self._since = False, PAUSE
        theory = resolve(level)
        if self.out is not None and self.out.exists():
            with FrameStore(self.out, theory.name) as store:
                fit.add(list(store.load().values()))

    @property
    def potential(self) -> Potential:
        """What it has learned so far."""
        return self.fit.potential

    @property
    def fingerprint(self) -> str:
        """Short name of the potential as it is now."""
        return fingerprint(self.potential.terms)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Any = ("energy",),
        system_changes: Any = all_changes,
    ) -> None:
        """See `ase.calculators.calculator.Calculator.calculate`."""
        super().calculate(atoms, properties, system_changes)
        structure = self.atoms
        assert structure is not None
        self.calls += 1
        self._since += 1
        grade = self._grade(structure)
        if grade > self.limit and (self._since > PAUSE or grade > ALARM * self.limit):
            self._doubt(structure, grade)
        stress = bool(structure.pbc.all()) and "stress" in properties
        found = self.potential.predict_unwatched(structure, stress=stress)
        energy = float(found.energy)
        self.results = {
            "energy": energy,
            "free_energy": energy,
            "forces": found.forces.numpy().copy(),
        }
        if found.stress is not None:
            self.results["stress"] = found.stress[0].numpy().ravel()[[0, 4, 8, 5, 2, 1]]
        if "forces_std" in properties:
            bars = uncertainty(self.potential, self.potential.batch(structure))
            self.results["forces_std"] = bars.forces_std.numpy()

    def _grade(self, atoms: Atoms) -> float:
        """Largest grade of an atom, with as much effort as is due."""
        batch = self.potential.batch(atoms)
        grade = float(grade_of_surroundings(self.potential, batch).max())
        if grade <= self.limit and self.calls % self.every:
            return grade
        grade = float(uncertainty(self.potential, batch, draws=DRAWS).extrapolation.max())
        if grade > self.limit:
            grade = float(uncertainty(self.potential, batch).extrapolation.max())
        return grade

    def _doubt(self, atoms: Atoms, grade: float) -> None:
        """Ask and learn; warn if no label is left."""
        if len(self.log) >= self.most:
            if not self._warned:
                self._warned = True
                warn_where_asked(
                    f"the reference was asked {self.most} times, which is most=; from here on "
                    f"nothing is learned (extrapolation grade {grade:.1f})",
                    ExtrapolationWarning,
                )
            return
        self._since = 0
        asked = atoms.copy()
        asked.set_constraint()
        started = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # said by the error below
            made = label([asked], self.level, out=self.out, progress=False, invalid="skip")
        if not made:
            raise CalculationError(
                f"step {self.calls}: {resolve(self.level).name} has no label for a structure that "
                f"the potential does not know (grade {grade:.1f}); start from more labels, or run "
                "colder"
            )
        before = self.potential.predict_unwatched(asked)
        calculated = time.perf_counter()
        self.fit.add(made)
        learned = time.perf_counter()
        off = before.forces.numpy() - labels.forces(made)
        bars = uncertainty(self.potential, self.potential.batch(asked))
        self.log.append(
            {
                "call": self.calls,
                "labels": len(self.fit.frames),
                "grade": grade,
                "grade_after": float(bars.extrapolation.max()),
                "energy_error_meV": 1e3 * (float(before.energy) - labels.energy_of(made[0])),
                "force_rmse_meV/A": 1e3 * float(np.sqrt((off**2).mean())),
                "reference_s": calculated - started,
                "learning_s": learned - calculated,
            }
        )

    def to_frame(self) -> pd.DataFrame:
        """The log: one line for each time that the reference was asked."""
        return pd.DataFrame(self.log)

    def __repr__(self) -> str:
        part = len(self.log) / self.calls if self.calls else 0.0
        return (
            f"LearningCalculator: {resolve(self.level).name} was asked {len(self.log)} times in "
            f"{self.calls} steps ({part:.2%}), {len(self.fit.frames)} labels"
        )


def on_the_fly(
    potential: Potential,
    train: Structures,
    level: str | Calculator | None = None,
    *,
    grade: float = 1.0,
    every: int = 5,
    most: int = 200,
    out: str | Path | None = None,
    memory: float = 5.0,
    equations: KeptEquations | None = None,
) -> LearningCalculator:
    """A calculator that asks the reference where the potential does not know, once, and learns.

    Args:
        potential: from `im.fit`; with a baseline or without.
        train: the frames that it was fitted to.
        level: of the labels; that of the potential if None.
        grade, every, most, out: see `LearningCalculator`.
        memory: limit in GiB for the normal equations.
        equations: those of the fit, where its report keeps them; see `GrowingFit`.

    Raises:
        LabelError: these are not the frames of the fit; see `GrowingFit`.
        UnknownLevelError: no level is given or known.

    Example:
        >>> import interpmd as im
        >>> from ase.build import molecule
        >>> frames = im.label(im.sample(molecule("H2O"), "rattle", n=20, seed=0), progress=False)
        >>> report = im.fit(frames, spec=im.Spec(weights=200), baseline="gfn1-xtb", progress=False)
        >>> calculator = im.on_the_fly(report.potential, frames, "gfn2-xtb")
        >>> run = im.simulate(calculator, frames[0], steps=60, temperature=900, progress=False)
        >>> len(calculator.log) <= calculator.calls
        True
    """
    arguments.of_class(Potential, potential=potential)
    level = potential.card.level if level is None else level
    fit = GrowingFit(potential, train, memory=memory, equations=equations)
    return LearningCalculator(fit, level or "", grade, every, most, out)
