"""How the error falls with the number of labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from interpmd.arguments import seeds
from interpmd.fitting import labels
from interpmd.fitting.closed_form import fit
from interpmd.structures.files import Structures, read_frames


def learning_curve(
    train: Structures,
    test: Structures,
    sizes: Sequence[int] | None = None,
    seed: int = 0,
    **arguments: Any,
) -> pd.DataFrame:
    """Test errors of fits to growing parts of the training data.

    Args:
        train, test: as in `fit`.
        sizes: numbers of frames; an eighth, a quarter, half and all of them if None. Isolated
            atoms are always included and not counted.
        seed: of the order in which frames are taken.
        arguments: passed on to `fit`.

    Returns:
        One line per size: errors in meV and meV/Å.
    """
    seeds(seed=seed)
    frames, judges = read_frames(train), read_frames(test)
    isolated = [a for a in frames if labels.is_isolated(a)]
    rest = [a for a in frames if not labels.is_isolated(a)]
    order = np.random.default_rng(seed).permutation(len(rest))
    sizes = sizes or [len(rest) // part for part in (8, 4, 2, 1)]
    rows = {}
    for size in sizes:
        part = [rest[i] for i in order[:size]]
        report = fit(part + isolated, test=judges, seed=seed, **arguments)
        rows[size] = report.evaluations["test"].summary()
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("frames")
