"""Many shots: seeded, in several processes, until there are enough events."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ase import Atoms
from ase.calculators.calculator import Calculator
from tqdm.auto import tqdm

from interpmd import arguments
from interpmd.dynamics.events.coordinate import ReactionCoordinate, as_coordinate
from interpmd.dynamics.events.event import Events
from interpmd.dynamics.record import name
from interpmd.dynamics.shooting.record import Shots
from interpmd.dynamics.shooting.shots import Rules, Shot, moving_copy, shoot_once
from interpmd.errors import ArgumentError, ReactionError
from interpmd.potentials.fingerprint import digest
from interpmd.potentials.potential import Potential
from interpmd.reference.on_cluster import on_cluster, workers_of
from interpmd.reference.workers import Killed, cores, in_order
from interpmd.structures.files import Structures, read_frames
from interpmd.structures.systems import check_structure
from interpmd.structures.threads import one_thread

#: Shots that one process makes at a time: starting a job costs more than a step.
TOGETHER = 8


def shoot(
    potential: Potential | Calculator | str,
    seed_structures: Structures,
    coordinate: ReactionCoordinate | Callable[[Atoms], float],
    n: int = 100,
    *,
    temperature: float = 300.0,
    timestep: float = 0.5,
    window: float = 80.0,
    longest: float = 1000.0,
    most: int | None = None,
    seed: int = 0,
    workers: int = 1,
    client: Any = None,
    out: str | Path | None = None,
    low: float | None = None,
    middle: float | None = None,
    high: float | None = None,
    progress: bool = True,
) -> Events:
    """Shoot trajectories over a barrier, two ways in time from structures near its top.

    Each shot takes one of the structures in turn and velocities at `temperature`, and runs at
    constant energy forward and backward in time (two-way shooting: Dellago, Bolhuis and Geissler,
    Adv. Chem. Phys. 123, 1, 2002). Where its ends lie in different states it is an event.

    If the structures are distributed as at equilibrium on the surface where the coordinate has its
    `middle` (as those of `im.top_structures` are), events count in means with the speed of the
    coordinate at the start over the number of crossings, which makes them the reactive
    trajectories of equilibrium (Hummer, J. Chem. Phys. 120, 516, 2004): that is their `weight`.

    Args:
        potential: a potential of interpmd, a level of theory by name, or any ASE calculator.
        seed_structures: near the top, between the two states; or files of them.
        coordinate: of `im.proton_transfer` and others, or any function of ase.Atoms together with
            `low` and `high`.
        n: number of events.
        temperature: K, of the velocities: of the motion within, without drift and rotation.
            timestep: fs.
        window: fs that each half lasts at least, also after it has reached a state.
        longest: fs after which a half that has reached none is given up.
        most: number of shots after which to stop; 10 n + 50 if None.
        seed: of the velocities.
        workers: number of processes, one thread each; 0 takes all cores. More than one needs a
            script guarded by ``if __name__ == "__main__":``. The events do not depend on it.
        client: a ``dask.distributed.Client``, whose workers shoot instead; see `im.label`.
        out: a file (say .jsonl) that grows by one line a shot. The same call with the same file
            goes on where it was broken off, to the same events, to the last bit.
        low, middle, high: see `im.events`.
        progress: whether to show a progress bar.

    Raises:
        ReactionError: a structure that lies in one of the states already, or no event in `most`
            shots.
        ArgumentError: numbers that make no sense, workers and a client, or a calculator or
            function that cannot be sent to other processes.
        SimulationError: `out` holds something else, or shots with other settings.
        TrajectorySealError: `out` was altered.
        OutputError: `out` cannot be written; `report` of the error holds the events until then.

    Returns:
        The events. `tried` has a row for each shot: structure, the states that both halves
        reached (0, 1, or −1 for none in `longest` fs), the speed of the coordinate at the start,
        and what went wrong.
    """
    arguments.count(n=n)
    arguments.count(0, workers=workers)
    if client is not None:
        if workers != 1:
            raise ArgumentError("give workers (processes here) or client (a cluster), not both")
        workers_of(client)
    arguments.seeds(seed=seed)
    arguments.positive(temperature=temperature, timestep=timestep, longest=longest)
    arguments.not_negative(window=window)
    most = 10 * n + 50 if most is None else most
    arguments.count(most=most)
    coordinate = as_coordinate(coordinate, low, middle, high)
    structures = checked_seeds(seed_structures, coordinate)
    rules = Rules(coordinate, temperature, timestep, window, longest, seed)
    settings = {
        "made_by": "shoot",
        "potential": name(potential),
        "coordinate": coordinate.name,
        "states": [coordinate.low, coordinate.middle, coordinate.high],
        "temperature_K": temperature,
        "time_step_fs": timestep,
        "window_fs": window,
        "longest_fs": longest,
        "seed": seed,
        "values": digest(coordinate.values(structures).round(6)),  # two may have one name
        "structures": digest(*(a.positions for a in structures), words=str(structures[0].symbols)),
    }
    where = workers if client is None else client
    shots: list[Shot] = []
    kept = None if out is None else Shots(out, settings, structures)
    bar = tqdm(total=n, unit="event", desc="shoot", disable=not progress)
    try:
        with bar, one_thread():
            if kept is not None:
                with kept:
                    _go_on(shots, kept, n, most, potential, structures, rules, where, bar)
            else:
                _go_on(shots, None, n, most, potential, structures, rules, where, bar)
    except KeyboardInterrupt:
        if not any(shot.event for shot in shots):
            raise
    except OSError as error:
        if hasattr(error, "report") and shots:
            error.report = _events(shots, coordinate, settings)
        raise
    found = _events(shots, coordinate, settings)
    if not found:
        ends = found.tried[["backward", "forward"]].value_counts().to_dict()
        raise ReactionError(
            f"no event in {len(shots)} shots (states that both halves reached: {ends}; −1 is "
            "none): shoot from structures nearer to the top (im.top_structures), or give the "
            "halves more time (longest=)"
        )
    return found


def checked_seeds(given: Structures, coordinate: ReactionCoordinate) -> list[Atoms]:
    """Structures between the states of a coordinate.

    Raises:
        ReactionError: there are none, or one lies in a state.
    """
    structures = read_frames(given)
    if not structures:
        raise ReactionError("there is no structure to shoot from")
    for index, atoms in enumerate(structures):
        check_structure(atoms)
        arguments.masses_of(atoms, f"structure {index}")
        if not np.array_equal(atoms.numbers, structures[0].numbers):
            raise ReactionError(
                f"structure {index} is {atoms.symbols}, and the first one {structures[0].symbols}: "
                "shoot from structures of the same atoms in the same order"
            )
        coordinate.check(atoms)
        value = coordinate(atoms)
        if (state := coordinate.state(value)) >= 0:
            raise ReactionError(
                f"structure {index} has {coordinate.name} = {value:.3g} {coordinate.unit}, which "
                f"is in the state {coordinate.states[state]!r}; shoot from structures between "
                f"{coordinate.low:g} and {coordinate.high:g}: im.top_structures(potential, atoms, "
                "coordinate) makes them"
            )
    return structures


def _go_on(
    shots: list[Shot],
    kept: Shots | None,
    n: int,
    most: int,
    potential: Potential | Calculator | str,
    structures: list[Atoms],
    rules: Rules,
    where: Any,
    bar: tqdm,
) -> None:
    """Take shots from the file, then make more, until there are n events."""
    made = 0

    def enough(shot: Shot) -> bool:
        nonlocal made
        shots.append(shot)
        made += shot.event is not None
        bar.update(shot.event is not None)
        return made >= n or len(shots) >= most

    if kept is not None and any(enough(shot) for shot in kept.shots):
        return
    first = len(shots)
    with closing(_made(potential, structures, rules, range(first, most), where)) as fresh:
        for shot in fresh:
            if kept is not None:
                kept.add(shot)
            if enough(shot):
                return


def _made(
    potential: Potential | Calculator | str,
    structures: list[Atoms],
    rules: Rules,
    numbers: range,
    where: Any,
) -> Iterator[Shot]:
    """Shots of these numbers, in order, by a number of processes or a client of Dask."""
    if where == 1:
        moving = moving_copy(potential, structures[0])
        for number in numbers:
            which = number % len(structures)
            yield shoot_once(moving, structures[which], number, which, rules)
        return
    try:
        packed = pickle.dumps((potential, structures, rules))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ArgumentError(
            f"the potential or the coordinate cannot be sent to other processes ({error}); define "
            "the function at the top of a module, or leave workers=1"
        ) from error
    parts = [numbers[k : k + TOGETHER] for k in range(0, len(numbers), TOGETHER)]
    names = [f"shots {part[0]} to {part[-1]}" for part in parts]
    jobs = [(packed, list(part)) for part in parts]
    if isinstance(where, int):
        results = in_order(_several, jobs, where or cores(), names)
    else:
        results = on_cluster(where, _several, jobs, names)
    for result, part in zip(results, parts, strict=True):
        if isinstance(result, Killed):
            yield from (Shot(k, k % len(structures), -1, -1, 0.0, None, str(result)) for k in part)
        else:
            yield from result


def _several(packed: bytes, numbers: Sequence[int]) -> list[Shot]:
    """The same in a process of its own."""
    potential, structures, rules = _unpacked(packed)
    moving = moving_copy(potential, structures[0])
    chosen = [(number, number % len(structures)) for number in numbers]
    with one_thread():
        return [shoot_once(moving, structures[k], number, k, rules) for number, k in chosen]


#: What the jobs of one process have in common, by its packed form.
_COMMON: dict[bytes, Any] = {}


def _unpacked(packed: bytes) -> Any:
    if packed not in _COMMON:
        _COMMON.clear()
        _COMMON[packed] = pickle.loads(packed)  # made by this very program
    return _COMMON[packed]


def _events(
    shots: Sequence[Shot], coordinate: ReactionCoordinate, settings: dict[str, Any]
) -> Events:
    table = pd.DataFrame(
        {
            "structure": [s.structure for s in shots],
            "backward": [s.backward for s in shots],
            "forward": [s.forward for s in shots],
            "speed": [s.speed for s in shots],
            "event": [s.event is not None for s in shots],
            "trouble": [s.trouble for s in shots],
        },
        index=pd.Index([s.number for s in shots], name="shot"),
    )
    found = tuple(s.event for s in shots if s.event is not None)
    scale = np.mean([e.weight for e in found]) if found else 1.0
    found = tuple(replace(e, weight=float(e.weight / scale)) for e in found)
    total = float(sum(e.times[-1] - e.times[0] for e in found))
    return Events(found, coordinate, table, settings, total)
