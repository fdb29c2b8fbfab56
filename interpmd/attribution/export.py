"""Explanations from files, and one or several of them as a table of shap."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from interpmd.attribution import archive
from interpmd.attribution.explanation import Explanation
from interpmd.errors import GroupingError

if TYPE_CHECKING:
    import shap


def load_explanation(path: str | Path) -> Explanation:
    """Read what `Explanation.save` wrote.

    Raises:
        ExplanationFileError: the file is not there, truncated or something else.
    """
    return Explanation(**archive.read(path))


def to_shap(
    explanations: Explanation | Iterable[Explanation] | xr.Dataset, by: str | None = None
) -> shap.Explanation:
    """Explanations as one `shap.Explanation`, for shap's waterfall, bar and beeswarm.

    Args:
        explanations: one; several, of one target in different structures; or the dataset of
            `explain_trajectory`. Vectors are projected on their direction.
        by: the features: "label" (if None) for single clusters, or a grouping of `Explanation.by`.
            The rows of a dataset are grouped already.

    Returns:
        Values of shape (features,) of one explanation, else (explanations, features); base values
        0: nobody, no energy. Atoms are named by symbol and index.

    Raises:
        GroupingError: `by` beside a dataset, or things that are no explanations.
    """
    if isinstance(explanations, Explanation):
        return explanations.to_shap(by or "label")
    if isinstance(explanations, xr.Dataset):
        if by is not None:
            raise GroupingError(
                "the rows of a dataset are grouped already; pass by= to explain_trajectory"
            )
        return archive.shap_table(_samples(explanations))
    if not isinstance(explanations, Iterable):
        raise GroupingError(f"explanations are of im.explain, not {explanations!r}")
    many = list(explanations)
    for index, one in enumerate(many):
        if not isinstance(one, Explanation):
            raise GroupingError(f"item {index} is {type(one).__name__}, not an explanation")
    return archive.shap_table([one.named(by or "label") for one in many])


def _samples(dataset: xr.Dataset) -> list[dict[str, float]]:
    """Values of each frame by the name of their row, vectors along the direction of their sum."""
    values = dataset.value
    if "component" in values.dims:
        total = dataset.total
        length = np.maximum(np.sqrt((total**2).sum("component")), 1e-300)
        values = (values * total / length).sum("component")
    labels = [str(label) for label in np.atleast_1d(dataset.label.values)]
    table = values.transpose("frame", "interaction").values
    samples = []
    for row in table:
        named: dict[str, float] = {}
        for label, value in zip(labels, row.tolist(), strict=True):
            named[label] = named.get(label, 0.0) + value
        samples.append(named)
    return samples
