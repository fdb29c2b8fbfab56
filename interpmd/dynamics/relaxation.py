"""Minima and saddle points of a potential, by the optimisers of ASE and Sella.

Minima: BFGS with a line search (ASE). Saddle points of first order: rational function optimisation
along the lowest mode, which Sella finds without a Hessian (Hermes et al., J. Chem. Theory Comput.
18, 6974, 2022).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.optimize import BFGSLineSearch
from ase.optimize.optimize import Optimizer
from jaxtyping import Float
from tqdm.auto import tqdm

from interpmd import arguments
from interpmd.dynamics.asked import attached, largest_force, snapshot
from interpmd.dynamics.record import start
from interpmd.dynamics.stages import Stages
from interpmd.errors import ConvergenceWarning
from interpmd.extras import required
from interpmd.markup import markup, table
from interpmd.plots import time_lines
from interpmd.potentials.potential import Potential
from interpmd.structures.files import Structures, one_structure
from interpmd.structures.threads import one_thread

if TYPE_CHECKING:
    from matplotlib.axes import Axes


#: What is looked for, in words.
WORDS = {"minimum": "minimum", "saddle": "saddle point"}


@dataclass(frozen=True, eq=False)
class Relaxation:
    """The way to a minimum or saddle point; `atoms` is where it ended.

    Attributes:
        frames: structures with energies and forces, from the first to the last step.
        to: "minimum" or "saddle".
        converged: whether the forces fell below what was asked for, at a saddle point with one
            downward direction.
        largest_forces: on an atom in eV/Å, shape (frames,); without what constraints hold.
        settings: how it was made.
    """

    frames: list[Atoms]
    to: str
    converged: bool
    largest_forces: Float[np.ndarray, " frames"]
    settings: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.frames)

    def __iter__(self) -> Any:
        return iter(self.frames)

    @property
    def atoms(self) -> Atoms:
        """The last structure, with energy and forces."""
        return self.frames[-1]

    @property
    def energies(self) -> Float[np.ndarray, " frames"]:
        """eV."""
        return np.array([a.get_potential_energy(apply_constraint=False) for a in self.frames])

    @property
    def energy(self) -> float:
        """Of the last structure in eV."""
        return float(self.energies[-1])

    def to_frame(self) -> pd.DataFrame:
        """Energy (eV) and largest force (eV/Å) of each step."""
        return pd.DataFrame(
            {"energy_eV": self.energies, "largest_force_eV/A": self.largest_forces}
        ).rename_axis("step")

    def plot(self, ax: Axes | None = None) -> Axes:
        """Energy above the lowest against the number of the step."""
        lines = {"energy": self.energies - self.energies.min()}
        ax = time_lines(np.arange(len(self)), lines, unit="energy above the lowest (eV)", ax=ax)
        ax.set(xlabel="step", title=str(self))
        return ax

    def __str__(self) -> str:
        word = "" if self.converged else "not yet a "
        return (
            f"{word}{WORDS[self.to]} of {self.atoms.get_chemical_formula()} after "
            f"{len(self) - 1} steps: {self.energy - self.energies[0]:+.4f} eV, largest force "
            f"{self.largest_forces[-1]:.4f} eV/Å"
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        ends = self.to_frame().iloc[[0, -1]].round(5)
        return markup("<p><b>{}</b></p>{}", self, table(ends))


@one_thread()
def relax(
    potential: Potential | Calculator | str,
    atoms: Structures,
    *,
    to: Literal["minimum", "saddle"] = "minimum",
    force: float = 0.01,
    steps: int = 500,
    out: str | Path | None = None,
    progress: bool = True,
) -> Relaxation:
    """Move a structure to a minimum or a saddle point of a potential.

    A keyboard interrupt ends it early and returns what is in the file, if there is one.

    Args:
        potential: an interpmd potential, or any calculator of ASE.
        atoms: where to start; of a saddle point near to it. Constraints of ASE are kept.
        to: "minimum", or "saddle" for a point of one downward direction.
        force: eV/Å; largest force that is left on an atom.
        steps: at most.
        out: a .traj file that grows. The same call with the same file goes on from its last frame.
        progress: whether to show a progress bar.

    Raises:
        StructureError: the structure cannot be used.
        ArgumentError: numbers that make no sense.
        MissingPackageError: a saddle point without Sella.
        OutputError, SimulationError, TrajectorySealError: of `out`, see `simulate`.

    Warns:
        ConvergenceWarning: the forces are still larger after that many steps, or the search ended
            at a point that is no saddle point of first order, as one that begins at a minimum does.

    Example:
        >>> from ase.build import molecule
        >>> import interpmd as im
        >>> found = im.relax(im.load("water"), molecule("H2O"), progress=False)
        >>> found.converged, round(float(found.atoms.get_distance(0, 1)), 2)
        (True, 0.96)
    """
    arguments.one_of(("minimum", "saddle"), to=to)
    arguments.positive(force=force)
    arguments.count(steps=steps)
    first = one_structure(atoms)
    settings = {"search": WORDS[to], "force": force, **start(potential, first)}
    optimiser = _minimiser if to == "minimum" else saddle_search
    with Stages(out, settings) as stages:
        moving = attached(stages.frames[-1] if stages.frames else first, potential)
        frames = stages.frames[:-1]
        try:
            search = optimiser(moving)
            converged = _run(search, moving, force, steps, frames, stages, progress)
            downhill = downhill_ways(search) if converged and to == "saddle" else None
        except KeyboardInterrupt:
            if out is None:
                raise
            converged, downhill = False, None
        stages.keep(frames, now=True)
    left = np.array([largest_force(frame) for frame in frames])
    result = Relaxation(frames, to, converged and downhill in (None, 1), left, settings)
    if not result.converged:
        why = "" if downhill in (None, 1) else f", and {downhill} directions lead downhill, not one"
        warnings.warn(
            f"{result}{why}; {'start nearer' if why else 'give it more steps=, or start nearer'}",
            ConvergenceWarning,
            stacklevel=3,
        )
    return result


def relaxed_by(
    moving: Atoms, force: float, steps: int, note: Callable[[], None] | None = None
) -> bool:
    """Move a structure that has a calculator to its minimum; whether it got there.

    Args:
        moving: the structure.
        force: eV/Å, that is left at most. steps: at most.
        note: called at each step.
    """
    search = _minimiser(moving)
    if note is not None:
        search.attach(note)
    return bool(search.run(fmax=force, steps=steps))


def saddle_search(moving: Atoms) -> Optimizer:
    """Sella's search for a saddle point of first order.

    Raises:
        MissingPackageError: Sella is not installed.
    """
    sella = required("sella", "the search for a saddle point")
    return sella.Sella(moving, order=1, internal=False, logfile=None)


def downhill_ways(search: Any) -> int:
    """Directions of negative curvature where a search of `saddle_search` ended: one of a saddle
    point of first order, none of a minimum."""
    surface = search.pes
    if surface.H.evals is None:  # it ended where it began, before it looked at any curvature
        surface.diag()
    return int((np.asarray(surface.H.evals) < 0).sum())


def _minimiser(moving: Atoms) -> Optimizer:
    return BFGSLineSearch(moving, logfile=None)


def _run(
    optimiser: Optimizer,
    moving: Atoms,
    force: float,
    steps: int,
    frames: list[Atoms],
    stages: Stages,
    progress: bool,
) -> bool:
    """Run an optimiser, adding each of its steps to the frames; whether it converged."""
    with tqdm(desc="relax", unit="step", disable=not progress) as bar:  # nobody knows how many
        optimiser.attach(watcher(moving, frames, stages, bar))
        return bool(optimiser.run(fmax=force, steps=steps))


def watcher(moving: Atoms, frames: list[Atoms], stages: Stages, bar: tqdm) -> Callable[[], None]:
    """What an optimiser calls at each step: note the frame, keep all of them, move the bar."""

    def note() -> None:
        same = frames and np.array_equal(frames[-1].positions, moving.positions)
        if not same:  # the first step of a run is where the last one ended
            frames.append(snapshot(moving))
        bar.set_postfix_str(f"largest force {largest_force(moving):.3f} eV/Å", refresh=False)
        bar.update(len(frames) - 1 - bar.n)
        stages.keep(frames)

    return note
