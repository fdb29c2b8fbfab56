"""What a simulation leaves on disk while it runs, and what makes it the same simulation.

run.traj        frames, as ASE reads them, each with its step and its seal
run.traj.json   the settings
"""

from __future__ import annotations

import contextlib
import json
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io.trajectory import TrajectoryWriter

from interpmd.dynamics.asked import mover
from interpmd.dynamics.torn import MAGIC, whole_frames
from interpmd.errors import OutputError, SimulationError, TrajectorySealError, UnsealedWarning
from interpmd.potentials.asking import warn_where_asked
from interpmd.potentials.fingerprint import digest, fingerprint
from interpmd.potentials.potential import Potential
from interpmd.reference.bias import BiasedCalculator
from interpmd.storage import (
    as_read,
    aside,
    canonical,
    read_and_held,
    replace_file,
    seal_of,
    writing,
)
from interpmd.structures.charges import state_of
from interpmd.structures.files import prepare_output
from interpmd.structures.seals import STEP_KEY, mark_step, take_mark


class Record:
    """Frames in memory and, if there is a file, on disk; a block, during which nobody else has it.

    Args:
        out: trajectory file; None keeps the frames in memory.
        settings: what makes it the same simulation, JSON values.
        interval: steps between frames; only the last frame may stand off this grid.

    Attributes:
        frames: by step, in their order.

    Raises:
        OutputError: the file cannot be written, or somebody else has it.
        SimulationError: there is a file that is no trajectory, or of another simulation.
        TrajectorySealError: a frame or the settings are not those that were written.
    """

    def __init__(self, out: str | Path | None, settings: dict[str, Any], interval: int) -> None:
        self.frames: dict[int, Atoms] = {}
        self.path = None if out is None else Path(out)
        self.interval = interval
        self._settle(as_read(settings))
        self._writer: TrajectoryWriter | None = None
        self._open = ExitStack()

    def _settle(self, settings: dict[str, Any]) -> None:
        """Take settings as they are written: 300 and 300.0 are equal, and their seals are not."""
        self.settings = settings
        self._seal = seal_of(canonical(settings))[:32]

    def __enter__(self) -> Self:
        if self.path is not None:
            prepare_output(self.path)
            self._open.enter_context(read_and_held(self.path, self._read))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self._writer is not None:
                with contextlib.suppress(OSError):  # what was written is there already
                    self._writer.close()
        finally:
            self._open.close()

    def add(self, atoms: Atoms, step: int) -> Atoms:
        """Store a copy with energy and forces of the potential, without those of constraints.

        A file that goes further is left as it is.

        Raises:
            OutputError: the disk is full; the file keeps the frames before.
        """
        frame = atoms.copy()
        frame.calc = SinglePointCalculator(
            frame,
            energy=atoms.get_potential_energy(apply_constraint=False),
            forces=atoms.get_forces(apply_constraint=False),
        )
        if self.path is not None and all(step > held for held in self.frames):
            if self.frames and (last := max(self.frames)) % self.interval:
                del self.frames[last]  # a run that goes on does not stop there
                self._rewrite(self.path)
            self._write(self.path, frame, step)
            self.frames[step] = frame
        return frame

    def _write(self, path: Path, frame: Atoms, step: int) -> None:
        with writing(f"step {step} of {path}"):
            if self.frames and not path.exists():  # the system would take frames into nowhere
                raise OutputError(
                    f"{path} is gone: it, or its folder, was removed while the run went on"
                )
            if self._writer is None:
                self._writer = TrajectoryWriter(path, "a" if self.frames else "w")
            self._writer.write(self._sealed(frame, step))

    def _sealed(self, frame: Atoms, step: int) -> Atoms:
        marked = frame.copy()
        marked.calc = frame.calc
        mark_step(marked, step, step * self.settings["time_step_fs"], self._seal)
        return marked

    def _rewrite(self, path: Path) -> None:
        """Replace the file by the frames in memory."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        fresh = path.with_name(f".{path.name}.part")
        try:
            with writing(path):
                with TrajectoryWriter(fresh, "w") as writer:
                    for step, frame in self.frames.items():
                        writer.write(self._sealed(frame, step))
                fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)

    def _read(self, path: Path) -> None:
        """Take up what is there, and put aside what cannot be read."""
        side = Path(f"{path}.json")
        begun = path.exists() and path.stat().st_size > 0
        stored = _settings(side)
        if begun:
            with path.open("rb") as file:
                head = file.read(len(MAGIC))
            if not MAGIC.startswith(head):
                raise SimulationError(
                    f"{path} exists and is no trajectory; choose another file, it was left as it is"
                )
            if stored is None:
                raise SimulationError(
                    f"{path} exists and was not made by simulate: there is no {side.name} beside "
                    "it; choose another file or delete it"
                )
        if stored is not None and path.exists():
            keys = stored | self.settings
            if other := [key for key in keys if stored.get(key) != self.settings.get(key)]:
                raise SimulationError(
                    f"{path} exists and was made with other settings ({', '.join(other)}); choose "
                    "another file or delete it"
                )
            self._settle(stored)
        if not begun:
            replace_file(side, json.dumps(self.settings, indent=1) + "\n")
            return
        frames, whole = whole_frames(path)
        self._unseal(frames, path)
        if not whole:
            kept = aside(path, "torn")
            warn_where_asked(
                f"{path} was broken off or damaged after {len(frames)} frames: the run goes on "
                f"from there, and what was there is kept in {kept}",
                UserWarning,
            )
            self._rewrite(path)

    def _unseal(self, frames: list[Atoms], path: Path) -> None:
        """Keep the frames, which must be as they were written."""
        if frames and STEP_KEY not in frames[0].info:
            self._take_unsealed(frames, path)
            return
        marks = [take_mark(frame) or {} for frame in frames]
        good = ["seal" in mark and mark["settings"] == self._seal for mark in marks]
        if not all(good):
            raise TrajectorySealError(
                f"{path}: frame {good.index(False)} is not what was written, it or the settings "
                "were altered; choose another file, this one was left as it is"
            )
        for frame, mark in zip(frames, marks, strict=True):
            self.frames[mark["step"]] = frame

    def _take_unsealed(self, frames: list[Atoms], path: Path) -> None:
        """Frames of an earlier release, whose last one may stand off the grid: it is made again."""
        warn_where_asked(
            f"{path} carries no seals: it was made by an earlier release, and nothing shows "
            "whether it is as it was written",
            UnsealedWarning,
        )
        kept = frames[: max(1, len(frames) - 1)]
        self.frames = {self.interval * n: frame for n, frame in enumerate(kept)}
        self._rewrite(path)


def _settings(side: Path) -> dict[str, Any] | None:
    """Stored settings, None if there are none."""
    try:
        stored = json.loads(side.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (ValueError, OSError):
        stored = None
    if not isinstance(stored, dict) or "ensemble" not in stored:
        raise SimulationError(
            f"{side} exists and holds no settings of a simulation; choose another file, it was "
            "left as it is"
        )
    return stored


def engine_of_file(out: str | Path | None) -> str | None:
    """The engine that a run in a file was begun with; None if there is no such file.

    Raises:
        SimulationError: what stands beside it is no settings of a simulation.
    """
    if out is None or not Path(out).exists():
        return None
    stored = _settings(Path(f"{out}.json"))
    return None if stored is None else stored.get("engine", "ase")


def name(potential: Potential | Calculator | str) -> str:
    """The same for the same potential, so that no run goes on with another one.

    Raises:
        ModelError: it gives no energies and forces.
    """
    potential = mover(potential)
    if not isinstance(potential, Potential):
        settings = dict(getattr(potential, "parameters", None) or {})
        # those of `as_calculator` have a level and a state instead
        for key in ("level", "charge", "multiplicity"):
            if key not in settings and hasattr(potential, key):
                given = getattr(potential, key)
                settings[key] = str(getattr(given, "name", given))
        words = json.dumps(settings, default=str, sort_keys=True) if settings else ""
        return f"{type(potential).__name__} {digest(words=words) if words else ''}".strip()
    return f"{potential.card.level} {fingerprint(potential.terms)}"


def start(potential: Potential | Calculator | str, atoms: Atoms) -> dict[str, Any]:
    """What the potential and the first structure add to the settings.

    What restraints add to the energy and the forces there stands for their coordinates: two
    functions may have one name.

    Raises:
        ModelError: it gives no energies and forces.
    """
    more = {}
    if isinstance(potential, BiasedCalculator):
        energy, forces = potential.added(atoms)
        more["bias"] = digest(np.round(energy, 6), forces.round(6))
    if atoms.has("momenta") and atoms.get_momenta().any():
        more["velocities"] = digest(atoms.get_momenta())
    if atoms.has("masses"):
        more["masses"] = digest(atoms.get_masses())
    if atoms.constraints:
        held = [constraint.todict() for constraint in atoms.constraints]
        more["constraints"] = digest(words=json.dumps(held, default=str))
    charge, multiplicity = state_of(atoms)
    if charge:
        more["charge"] = charge
    if multiplicity not in (None, 1):
        more["multiplicity"] = multiplicity
    if not (atoms.pbc.all() if atoms.cell.any() else not atoms.pbc.any()):
        more["pbc"] = atoms.pbc.tolist()
    return {
        "atoms": str(atoms.symbols),
        "start": digest(atoms.positions.round(6), atoms.cell.array.round(6)),
        **more,
        "potential": name(potential),
    }
