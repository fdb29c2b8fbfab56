"""Structures worth choosing from: hot, biased and stretched, not what a thermal run shows anyway.

From a thermal pool choice is hardly better than chance: its frames are alike. What a potential gets
wrong later is what was rare in its data: bonds at the ends of their vibrations, protons between two
atoms, torsions on the top. A cheap level of theory goes there for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import networkx as nx
import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from tqdm.auto import tqdm

from interpmd import arguments
from interpmd.errors import InterpmdError, UnknownSamplingError
from interpmd.levels import resolve
from interpmd.potentials.baseline import baselines, evaluate
from interpmd.potentials.potential import Potential
from interpmd.reference.bias import DihedralRestraint, Restraint, TransferRestraint
from interpmd.reference.checks import check_structure, closest_overlap
from interpmd.reference.trajectories import langevin, normal_modes
from interpmd.structures.chemistry import bonds, shared_protons
from interpmd.structures.files import Structures, read_frames

#: Kinds of candidates.
KINDS = ("hot", "biased", "stretched", "moved")

#: Å to which the proton of a hydrogen bond is driven, as the difference of its two distances, and
#: degrees of a torsion.
TRANSFER, TORSION = (-0.8, 0.8), (-180.0, 150.0)

#: By which bonds are stretched and pressed, one at a time.
FACTORS = (0.85, 0.92, 1.1, 1.2, 1.3, 1.45)

#: Of the frames of a hot run those that the baseline pushes most are kept, one of so many.
ONE_OF = 4

#: Steps between frames of a run.
INTERVAL = 20


def candidates(
    start: Structures,
    model: str | Calculator | Potential = "gfn2-xtb",
    n: int = 200,
    kinds: str | Sequence[str] = KINDS,
    temperatures: float | Sequence[float] = (300.0, 600.0, 1000.0),
    seed: int = 0,
    progress: bool = True,
) -> list[Atoms]:
    """Structures to choose labels from, shared out evenly among kinds.

    Args:
        start: structures to set out from, best minima.
        model: what moves the atoms: a cheap level of theory, a calculator, or a potential; of a
            potential with a baseline it is the baseline, which knows what few labels do not.
        n: how many in all.
        kinds: "hot": Langevin dynamics at `temperatures`. "biased": protons of hydrogen bonds
            driven from one side to the other, and rotatable bonds around. "stretched": normal modes
            at the highest temperature, and single bonds pressed and stretched. "moved": of hot runs
            the frames where the model's forces are largest, where a baseline moves much and its
            error with it. Kinds that a structure does not have are left out.
        temperatures: one or several, in K.
        seed: of everything random.
        progress: whether to show a bar.

    Returns:
        Structures without labels; ``info["sampling"]`` names the kind. Frames of other sources, as
        of `im.shoot` at a barrier, can simply be added to the list.

    Raises:
        UnknownSamplingError: no such kind, or no structure.
        StructureError: a structure that cannot be used.
    """
    arguments.count(n=n)
    arguments.seeds(seed=seed)
    kelvin = arguments.one_or_more(temperatures, "temperatures")
    kinds = arguments.words_of(kinds, "kinds")
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise UnknownSamplingError(f"no candidates are {unknown[0]!r}: {', '.join(KINDS)}")
    structures = [atoms.copy() for atoms in read_frames(start)]
    if not structures or not kinds:
        raise UnknownSamplingError("candidates need a structure and a kind at least")
    for atoms in structures:
        check_structure(atoms)
    level = _mover(model)
    makers: dict[str, Callable] = {
        "hot": _hot, "biased": _biased, "stretched": _stretched, "moved": _moved,
    }  # fmt: skip
    able = [k for k in kinds if k != "biased" or any(restraints_of(a) for a in structures)]
    if not able:
        raise UnknownSamplingError(
            "no structure has a shared proton or a bond that turns, so that there is nothing to "
            "bias; take other kinds"
        )
    shares = [len(part) for part in np.array_split(np.arange(n), len(able))]
    found: list[Atoms] = []
    with tqdm(total=n, desc="candidates", unit="frame", disable=not progress) as bar:
        for place, (kind, share) in enumerate(zip(able, shares, strict=True)):
            each = [len(part) for part in np.array_split(np.arange(share), len(structures))]
            for number, (atoms, count) in enumerate(zip(structures, each, strict=True)):
                if not count:
                    continue
                own = int(np.random.SeedSequence([seed, place, number]).generate_state(1)[0])
                made = makers[kind](atoms, level, count, kelvin, own)
                for frame in made:
                    frame.info["sampling"] = kind
                found += made
                bar.update(len(made))
    return found


def restraints_of(atoms: Atoms) -> list[Callable[[float], Restraint]]:
    """Coordinates that events of a structure go along, as restraints by a number from 0 to 1."""
    found: list[Callable[[float], Restraint]] = []
    for shared in shared_protons(atoms):
        found.append(
            lambda part, s=shared: TransferRestraint(
                s.first, s.hydrogen, s.second, TRANSFER[0] + part * (TRANSFER[1] - TRANSFER[0])
            )
        )
    for i, j, k, l in rotatable(atoms):
        found.append(
            lambda part, f=(i, j, k, l): DihedralRestraint(
                *f, target=TORSION[0] + part * (TORSION[1] - TORSION[0])
            )
        )
    return found


def rotatable(atoms: Atoms) -> list[tuple[int, int, int, int]]:
    """One torsion for each bond between heavy atoms that is in no ring and has neighbours."""
    graph = nx.Graph(map(tuple, bonds(atoms).pairs.tolist()))
    found = []
    for j, k in sorted(map(sorted, nx.bridges(graph))):
        before = sorted(set(graph[j]) - {k}, key=lambda a: (-atoms.numbers[a], a))
        after = sorted(set(graph[k]) - {j}, key=lambda a: (-atoms.numbers[a], a))
        if before and after and atoms.numbers[[j, k]].min() > 1:
            found.append((before[0], j, k, after[0]))
    return found


def _mover(model: str | Calculator | Potential) -> str | Calculator:
    if not isinstance(model, Potential):
        return model
    if below := baselines(model):
        level = below[0].level
        return level.name if below[0].by_name else level.calculator  # type: ignore[attr-defined]
    return model.calculator()


def _hot(atoms, level, count, temperatures, seed) -> list[Atoms]:
    shares = [len(part) for part in np.array_split(np.arange(count), len(temperatures))]
    frames = []
    for place, (temperature, share) in enumerate(zip(temperatures, shares, strict=True)):
        if share:
            frames += langevin(
                atoms, level, share, temperature, seed + place, INTERVAL, equilibration=100
            )
    return frames


def _biased(atoms, level, count, temperatures, seed) -> list[Atoms]:
    known = restraints_of(atoms)
    rng = np.random.default_rng(seed)
    frames: list[Atoms] = []
    for place in range(count):
        restraint = known[place % len(known)]((place // len(known) + rng.uniform()) * 0.618 % 1.0)
        frames += langevin(
            atoms, level, 1, temperatures[place % len(temperatures)], seed + place, INTERVAL,
            equilibration=60, restraints=[restraint],
        )  # fmt: skip
    return frames


def _stretched(atoms, level, count, temperatures, seed) -> list[Atoms]:
    rng = np.random.default_rng(seed)
    single = list(stretched_bonds(atoms))
    rng.shuffle(single)
    single = single[: count // 2]
    modes = normal_modes(atoms, level, count - len(single), max(temperatures), seed)
    return [*single, *modes]


def stretched_bonds(atoms: Atoms) -> list[Atoms]:
    """Every bond that is in no ring pressed and stretched by `FACTORS`, its lighter side moved."""
    pairs = bonds(atoms).pairs
    graph = nx.Graph([tuple(map(int, pair)) for pair in pairs])
    found = []
    for first, second in sorted(map(sorted, nx.bridges(graph))):
        cut = graph.copy()
        cut.remove_edge(first, second)
        side = sorted(nx.node_connected_component(cut, second))
        if len(side) > len(atoms) // 2:
            first, second, side = second, first, sorted(nx.node_connected_component(cut, first))
        along = atoms.positions[second] - atoms.positions[first]
        for factor in FACTORS:
            moved = atoms.copy()
            moved.positions[side] += (factor - 1) * along
            if closest_overlap(moved, 0.6) is None:
                found.append(moved)
    return found


def _moved(atoms, level, count, temperatures, seed) -> list[Atoms]:
    frames = _hot(atoms, level, ONE_OF * count, temperatures, seed)
    theory, sizes = resolve(level), []
    for frame in frames:
        try:
            sizes.append(float(np.linalg.norm(evaluate(theory, frame).forces, axis=1).max()))
        except InterpmdError:
            sizes.append(-1.0)
    best = np.sort(np.argsort(sizes, kind="stable")[-count:])
    return [frames[k] for k in best]
