"""The path of least energy between two minima, or down from a saddle point.

Nudged elastic band with a climbing image (Henkelman, Uberuaga, Jonsson, J. Chem. Phys. 113, 9901,
2000) and the improved tangent (113, 9978), first placed by image-dependent pair potentials
(Smidstrup et al., J. Chem. Phys. 140, 214106, 2014): ASE. The intrinsic reaction coordinate (Fukui,
Acc. Chem. Res. 14, 363, 1981), the steepest way down in mass-weighted coordinates: Sella.
"""

from __future__ import annotations

import pathlib
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.mep import NEB
from ase.optimize import FIRE
from tqdm.auto import tqdm

from interpmd import arguments
from interpmd.dynamics.asked import attached, largest_force, snapshot
from interpmd.dynamics.paths.result import Path, along
from interpmd.dynamics.record import start
from interpmd.dynamics.relaxation import downhill_ways, relaxed_by, saddle_search
from interpmd.dynamics.stages import Stages
from interpmd.errors import ConvergenceWarning, PathError
from interpmd.extras import required
from interpmd.potentials.potential import Potential
from interpmd.structures.files import Structures, one_structure
from interpmd.structures.threads import one_thread

#: Forces in eV/Å below which the highest image begins to climb.
BEFORE_CLIMBING = 0.2

#: Forces of the ends and of the saddle point, as a part of what is asked of the path.
SHARPER = 0.2

#: Steps that an end of a band may take to its minimum.
END_STEPS = 500

#: Key of `info` under which a structure says which way down from the saddle point it lies, and one
#: by which the last structure of a way says that it is the bottom.
WAY, BOTTOM = "interpmd_way", "interpmd_bottom"


@one_thread()
def path(
    potential: Potential | Calculator | str,
    reactant: Structures,
    product: Structures | None = None,
    *,
    images: int = 11,
    relax_ends: bool = True,
    step_length: float = 0.1,
    force: float = 0.05,
    steps: int = 500,
    out: str | pathlib.Path | None = None,
    progress: bool = True,
) -> Path:
    """The path of least energy between two structures, or down both ways from a saddle point.

    With a product the path is a nudged elastic band, whose highest image climbs to the saddle
    point. Without, the first structure is a guess of the saddle point: it is moved there, and the
    intrinsic reaction coordinate followed down both ways; which end comes first is by chance
    (`Path.reversed` turns it).

    A keyboard interrupt ends it early and returns what is in the file, if there is one.

    Args:
        potential: an interpmd potential, or any calculator of ASE.
        reactant: the structure to start from.
        product: the same atoms in the same order; None for a reaction coordinate.
        images: structures of the band, both ends included.
        relax_ends: whether the ends of the band are relaxed first.
        step_length: Å √u, of the reaction coordinate.
        force: eV/Å; largest force across the path, or at its ends.
        steps: at most, of the band, or each way down.
        out: a .traj file that holds the path as it is. The same call with the same file goes on.
        progress: whether to show a progress bar.

    Raises:
        PathError: a product with other atoms, or one that relaxes to the reactant.
        StructureError: a structure that cannot be used.
        ArgumentError: numbers that make no sense.
        MissingPackageError: a reaction coordinate without Sella.
        OutputError, SimulationError, TrajectorySealError: of `out`, see `simulate`.

    Warns:
        ConvergenceWarning: the path is not there yet after that many steps.
    """
    arguments.count(3, images=images)
    arguments.count(steps=steps)
    arguments.positive(force=force, step_length=step_length)
    first = one_structure(reactant, "reactant")
    last = None if product is None else one_structure(product, "product")
    asked: dict[str, Any] = {"force": force, **start(potential, first)}
    if last is None:
        asked |= {"search": "reaction coordinate", "step_length": step_length}
        found = _followed(potential, first, step_length, force, steps, out, asked, progress)
    else:
        _check(first, last)
        asked |= {"search": "band", "images": images, "relax_ends": relax_ends}
        asked["product"] = start(potential, last)["start"]
        ends = [first, last]
        found = _band(potential, ends, images, relax_ends, force, steps, out, asked, progress)
    if not found.converged:
        warnings.warn(
            f"{found}; give it more steps=, or a better start", ConvergenceWarning, stacklevel=3
        )
    return found


def _check(first: Atoms, last: Atoms) -> None:
    if len(first) != len(last) or (first.numbers != last.numbers).any():
        raise PathError(
            f"the product is {last.symbols} and the reactant {first.symbols}: both need the same "
            "atoms in the same order"
        )
    if (first.pbc != last.pbc).any() or not np.allclose(first.cell, last.cell):
        raise PathError("reactant and product need the same cell")


def _band(
    potential: Potential | Calculator | str,
    ends: list[Atoms],
    images: int,
    relax_ends: bool,
    force: float,
    steps: int,
    out: str | pathlib.Path | None,
    settings: dict[str, Any],
    progress: bool,
) -> Path:
    with Stages(out, settings) as stages:
        if len(stages.frames) == images:
            band = [attached(frame, potential) for frame in stages.frames]
        else:
            band = _first_band(potential, ends, images, relax_ends, force, stages)
        neb = NEB(
            band,
            climb=True,
            remove_rotation_and_translation=not band[0].pbc.any(),
            method="improvedtangent",
            allow_shared_calculator=True,
        )
        for image in band[1:]:
            image.calc = band[0].calc
        taken, converged = 0, False
        try:
            with tqdm(desc="band", unit="step", disable=not progress) as bar:

                def note() -> None:
                    worst = np.linalg.norm(neb.get_forces(), axis=1).max()
                    bar.set_postfix_str(f"largest force {worst:.3f} eV/Å", refresh=False)
                    bar.update(1 if taken + search.nsteps > bar.n else 0)
                    stages.keep([snapshot(image) for image in band])

                for climb, goal in ((False, max(BEFORE_CLIMBING, force)), (True, force)):
                    neb.climb = climb
                    search = FIRE(neb, logfile=None)
                    search.attach(note)
                    converged = bool(search.run(fmax=goal, steps=steps - taken))
                    taken += search.nsteps
        except KeyboardInterrupt:
            if out is None:
                raise
        frames = [snapshot(image) for image in band]
        stages.keep(frames, now=True)
    return along(frames, "neb", converged, settings)


def _first_band(
    potential: Potential | Calculator | str,
    ends: list[Atoms],
    images: int,
    relax_ends: bool,
    force: float,
    stages: Stages,
) -> list[Atoms]:
    """Relaxed ends, kept on their way, and structures between them placed by pair potentials."""
    first, last = (attached(end, potential) for end in stages.frames or ends)
    if relax_ends:

        def note() -> None:
            stages.keep([snapshot(first), snapshot(last)])

        for end, word in ((first, "reactant"), (last, "product")):
            if not relaxed_by(end, SHARPER * force, END_STEPS, note):
                raise PathError(
                    f"the {word} reached no minimum in {END_STEPS} steps; relax it with im.relax, "
                    "and pass relax_ends=False"
                )
    same = np.abs(first.get_all_distances(mic=True) - last.get_all_distances(mic=True)).max()
    if same < 0.02:
        raise PathError(
            "reactant and product are the same structure"
            + (" once they are relaxed; give a product nearer to its minimum" if relax_ends else "")
        )
    band = [first, *(first.copy() for _ in range(images - 2)), last]
    for image in band[1:-1]:
        image.calc = first.calc
    placed = NEB(
        band,
        remove_rotation_and_translation=not first.pbc.any(),
        method="improvedtangent",
        allow_shared_calculator=True,
    )
    placed.interpolate("idpp", mic=bool(first.pbc.any()))
    return band


def _followed(
    potential: Potential | Calculator | str,
    guess: Atoms,
    step_length: float,
    force: float,
    steps: int,
    out: str | pathlib.Path | None,
    settings: dict[str, Any],
    progress: bool,
) -> Path:
    """The reaction coordinate; ways down go on from the last structure that is kept of them."""
    sella = required("sella", "the intrinsic reaction coordinate")
    with Stages(out, settings) as stages:
        top = attached(stages.frames[0] if stages.frames else guess, potential)
        if not stages.frames:
            search = saddle_search(top)
            found = search.run(fmax=SHARPER * force, steps=steps)
            downhill = downhill_ways(search) if found else 1
            if not found or downhill != 1:
                what = f", {downhill} directions lead downhill, not one" if found else ""
                raise PathError(
                    f"no saddle point within {steps} steps{what}; start nearer, for instance "
                    "from the highest structure of a band: im.path(potential, path.top)"
                )
        saddle = stages.frames[0] if stages.frames else snapshot(top)
        ways = {
            word: [frame for frame in stages.frames[1:] if frame.info[WAY] == word]
            for word in ("reverse", "forward")
        }

        def keep(now: bool = False) -> None:
            stages.keep([saddle, *ways["reverse"], *ways["forward"]], now)

        keep(now=True)
        follower = sella.IRC(top, logfile=None, dx=step_length)
        converged = True
        try:
            for word, way in ways.items():
                if not (way and way[-1].info.get(BOTTOM)):
                    converged &= _way_down(sella, follower, word, way, keep, force, steps, progress)
        except KeyboardInterrupt:
            if out is None:
                raise
            converged = False
        keep(now=True)
    frames = [*ways["reverse"][::-1], saddle, *ways["forward"]]
    for frame in frames:
        for key in (WAY, BOTTOM):
            frame.info.pop(key, None)
    return along(frames, "irc", converged, settings)


def _way_down(
    sella: Any,
    follower: Any,
    word: str,
    way: list[Atoms],
    keep: Callable[[], None],
    force: float,
    steps: int,
    progress: bool,
) -> bool:
    """Follow a way down from the saddle point, adding its structures; whether it ended."""
    moving = follower.atoms
    with tqdm(desc=word, unit="step", initial=len(way), disable=not progress) as bar:

        def note() -> None:
            if follower.nsteps > before:
                frame = snapshot(moving)
                frame.info[WAY] = word
                way.append(frame)
                bar.update()
                keep()

        before = follower.nsteps
        follower.observers.clear()
        follower.attach(note)
        ended = False
        run = follower.irun(fmax=force, steps=steps, direction=word)
        if way:
            _led_back(follower, way)
        try:
            *_, ended = run
        except sella.optimize.irc.IRCInnerLoopConvergenceFailure:
            # at the bottom of a flat valley there is no way down left
            ended = bool(way) and largest_force(moving) < 10 * force
        if way and ended:
            way[-1].info[BOTTOM] = True
        return bool(ended)


class _Remembered(Calculator):
    """Energy and forces that a structure is known to have."""

    implemented_properties = ["energy", "forces"]
    results_of: Atoms

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        """Fill ``results``, as ASE asks of a calculator."""
        super().calculate(atoms, properties, system_changes)
        assert self.results_of.calc is not None
        self.results = dict(self.results_of.calc.results)


def _led_back(follower: Any, way: list[Atoms]) -> None:
    """Lead a follower that begins at the saddle point over structures that are known, so that it
    learns the curvature from their forces, without asking for them again."""
    asked, follower.atoms.calc = follower.atoms.calc, _Remembered()
    for frame in way:
        follower.atoms.calc.results_of = frame
        follower.pes.kick(frame.positions.ravel() - follower.pes.get_x())
    follower.atoms.calc = asked
    follower.first = False
    follower.d1 *= 0.0
