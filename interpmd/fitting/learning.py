"""How the error falls with the number of labels; several fits at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from ase import Atoms

from interpmd.arguments import count, one_or_more, seeds
from interpmd.errors import ArgumentError, CalculationError
from interpmd.fitting import labels
from interpmd.fitting.closed_form import fit
from interpmd.potentials.potential import Potential
from interpmd.reference.remote import Killed
from interpmd.reference.workers import spread
from interpmd.structures.files import Structures, read_frames

T = TypeVar("T")


def learning_curve(
    train: Structures,
    test: Structures,
    sizes: Sequence[int] | None = None,
    seed: int = 0,
    *,
    workers: int = 1,
    client: Any = None,
    **arguments: Any,
) -> pd.DataFrame:
    """Test errors of fits to growing parts of the training data.

    Args:
        train, test: as in `fit`.
        sizes: numbers of frames; an eighth, a quarter, half and all of them if None. Isolated
            atoms are always included and not counted.
        seed: of the order in which frames are taken.
        workers: processes, one thread each, of which each takes as much memory as a fit; more
            than one needs a script guarded by ``if __name__ == "__main__"``.
        client: a ``dask.distributed.Client``, whose workers fit instead.
        arguments: passed on to `fit`.

    Returns:
        One line per size: errors in meV and meV/Å.

    Raises:
        ArgumentError: sizes that are none, or beyond the number of frames.
        CalculationError: a process was killed at one size again and again, or the cluster is gone.
        Others: see `fit`.
    """
    seeds(seed=seed)
    count(workers=workers)
    frames, judges = read_frames(train), read_frames(test)
    isolated = [a for a in frames if labels.is_isolated(a)]
    rest = [a for a in frames if not labels.is_isolated(a)]
    order = np.random.default_rng(seed).permutation(len(rest))
    usual = [len(rest) // part for part in (8, 4, 2, 1)]
    sizes = usual if sizes is None else one_or_more(sizes, "sizes", count)
    if max(sizes) > len(rest):
        raise ArgumentError(
            f"sizes are at most the number of frames, {len(rest)} without isolated atoms, not "
            f"{max(sizes)}"
        )
    parts = [[*(rest[i] for i in order[:size]), *isolated] for size in sizes]
    jobs = [(part, judges, {"seed": seed, **arguments}) for part in parts]
    names = [f"the fit to {size} frames" for size in sizes]
    rows = dict(zip(sizes, several(_errors, jobs, names, workers, client), strict=True))
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("frames")


def potentials(
    trains: Sequence[Sequence[Atoms]], workers: int = 1, client: Any = None, **arguments: Any
) -> list[Potential]:
    """One fit to each of several sets of frames: halves of the data, or an ensemble.

    Args:
        trains: frames of each fit.
        workers, client: see `learning_curve`.
        arguments: passed on to `fit`.

    Raises:
        As `learning_curve`.
    """
    names = [f"fit {number}" for number in range(len(trains))]
    return list(several(_potential, [(t, arguments) for t in trains], names, workers, client))


def several(
    function: Callable[..., T],
    jobs: Sequence[tuple],
    names: Sequence[str],
    workers: int,
    client: Any,
) -> Iterator[T]:
    """Results of fits in order, by several processes or a cluster; see `learning_curve`."""
    done = spread(function, jobs, names, None if client is not None else workers, client)
    for name, result in zip(names, done, strict=True):
        if isinstance(result, Killed):
            raise CalculationError(f"{name} was not made: {result}")
        yield result


def _errors(
    train: Sequence[Atoms], test: Sequence[Atoms], arguments: dict[str, Any]
) -> dict[str, float]:
    return fit(train, test=test, **arguments).evaluations["test"].summary()


def _potential(train: Sequence[Atoms], arguments: dict[str, Any]) -> Potential:
    return fit(train, **arguments).potential
