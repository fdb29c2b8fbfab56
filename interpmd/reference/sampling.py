"""``sample``: geometries worth labelling, by one name for each way of making them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from tqdm.auto import tqdm

from interpmd import arguments
from interpmd.errors import UnknownSamplingError
from interpmd.keywords import renamed
from interpmd.reference.checks import check_structure
from interpmd.reference.clusters import fragments, random_clusters
from interpmd.reference.trajectories import langevin, normal_modes
from interpmd.structures.files import Structures, read_frames


@renamed(method="level")
def sample(
    atoms: Structures,
    how: str = "md",
    level: str | Calculator = "gfn2-xtb",
    n: int = 100,
    temperatures: float | Sequence[float] = (300.0,),
    seed: int = 0,
    progress: bool = True,
    **options,
) -> list[Atoms]:
    """Geometries made from a structure or several; the same seed gives the same geometries.

    Args:
        atoms: what to start from: structures or files of them (see `read_frames`).
        how: the way of sampling.

            - ``"md"``: Langevin dynamics, shared out over temperatures and structures (options
              interval, equilibration, timestep, friction, restraints).
            - ``"normal_modes"``: thermal displacements along normal modes, shared out likewise.
            - ``"rattle"``: Gaussian displacements of every atom; option stdev in Å.
            - ``"monomers"``, ``"dimers"``, ``"trimers"``, ``"tetramers"``: molecules turned and
              placed at random; options distances (Å, from centre to centre) and contact.
            - ``"fragments"``: sub-clusters of a cluster of molecules, as they stand in it; option
              orders, such as (1, 2, 3). All of them, or n drawn at random if there are more.
        level: of theory, one that `interpmd.label` knows, or an ASE calculator; only for ``"md"``
            and ``"normal_modes"``.
        n: number of geometries.
        temperatures: one or several, in K; only for ``"md"`` and ``"normal_modes"``.
        seed: of everything random.
        progress: whether to show a progress bar; only for ``"md"`` and ``"normal_modes"``.
        options: of the way of sampling.

    Returns:
        Structures without labels; ``info["sampling"]`` says how each was made, and
        ``info["temperature"]`` at which temperature.

    Raises:
        UnknownSamplingError: no such way, or no structure.
        StructureError: a structure that cannot be used.
    """
    arguments.count(n=n)
    arguments.seeds(seed=seed)
    kelvin = arguments.one_or_more(temperatures, "temperatures")
    if not arguments.named(how, _WAYS):
        raise UnknownSamplingError(f"unknown sampling {how!r}; available: {', '.join(_WAYS)}")
    structures = read_frames(atoms)
    if not structures:
        raise UnknownSamplingError("sample needs at least one structure")
    for structure in structures:
        check_structure(structure)
    arguments.options(options, _options(how), f"sample(how={how!r})", OWN)
    with tqdm(total=n, desc=how, unit="frame", disable=not progress or how not in THERMAL) as bar:
        frames = _WAYS[how](structures, level, n, kelvin, seed, options, bar)
    for frame in frames:
        frame.info["sampling"] = how
    return frames


def _thermal(engine: Callable) -> Callable:
    def run(structures, level, n, temperatures, seed, options, bar):
        runs = [(s, t) for t in temperatures for s in structures]
        shares = [len(part) for part in np.array_split(np.arange(n), len(runs))]
        seeds = np.random.SeedSequence(seed).generate_state(len(runs))
        frames = []
        for (structure, temperature), share, own in zip(runs, shares, seeds, strict=True):
            if share:
                bar.set_postfix_str(f"{temperature:g} K")
                frames += engine(
                    structure,
                    level,
                    n=share,
                    temperature=temperature,
                    seed=int(own),
                    **options,
                    tick=bar.update,
                )
        return frames

    return run


def _rattled(structures, level, n, temperatures, seed, options, bar):
    rng = np.random.default_rng(seed)
    stdev = options.get("stdev", 0.05)
    arguments.not_negative(stdev=stdev)
    frames = []
    for index in range(n):
        frame = structures[index % len(structures)].copy()
        frame.positions += rng.normal(scale=stdev, size=frame.positions.shape)
        frames.append(frame)
    return frames


def _clusters(size: int) -> Callable:
    def run(structures, level, n, temperatures, seed, options, bar):
        return random_clusters(structures, size, n, seed=seed, **options)

    return run


def _sub_clusters(structures, level, n, temperatures, seed, options, bar):
    parts = [part for s in structures for part in fragments(s, **options)]
    if not parts:
        raise UnknownSamplingError(
            f"no structure has as many molecules as orders={options['orders']!r} asks for"
        )
    if len(parts) <= n:
        return parts
    chosen = np.random.default_rng(seed).permutation(len(parts))[:n]
    return [parts[i] for i in np.sort(chosen)]


#: Keywords of `sample` that one may have meant by an option that there is not.
OWN = ("level", "temperatures", "seed", "progress")

#: Ways that take time.
THERMAL = ("md", "normal_modes")

_WAYS: dict[str, Callable] = {
    "md": _thermal(langevin),
    "normal_modes": _thermal(normal_modes),
    "rattle": _rattled,
    "monomers": _clusters(1),
    "dimers": _clusters(2),
    "trimers": _clusters(3),
    "tetramers": _clusters(4),
    "fragments": _sub_clusters,
}

#: Who takes the options of a way of sampling, and what they do not say themselves.
_TAKERS: dict[str, Callable] = {
    "md": langevin,
    "normal_modes": normal_modes,
    "fragments": fragments,
} | dict.fromkeys(("monomers", "dimers", "trimers", "tetramers"), random_clusters)

_GIVEN = {"atoms", "molecules", "size", "n", "level", "temperature", "seed", "tick"}


def _options(how: str) -> list[str]:
    """Names of the options of a way of sampling."""
    if how == "rattle":
        return ["stdev"]
    return [name for name in inspect.signature(_TAKERS[how]).parameters if name not in _GIVEN]
