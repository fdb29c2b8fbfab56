"""Explanations from files, and several of them as one table of shap."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from interpmd.attribution import archive
from interpmd.attribution.explanation import Explanation

if TYPE_CHECKING:
    import shap


def load_explanation(path: str | Path) -> Explanation:
    """Read what `Explanation.save` wrote.

    Raises:
        ExplanationFileError: the file is truncated or something else.
        FileNotFoundError: there is none.
    """
    return Explanation(**archive.read(path))


def to_shap(explanations: Sequence[Explanation], by: str = "label") -> shap.Explanation:
    """Several explanations as one `shap.Explanation`, for shap's waterfall, bar and beeswarm.

    Args:
        explanations: of one target in different structures; vectors are projected on their
            direction.
        by: the features: "label" for single clusters, or a grouping of `Explanation.by`.

    Returns:
        Values of shape (explanations, features), base values 0: nobody, no energy. Atoms are named
        by symbol and index.
    """
    return archive.shap_table([explanation.named(by) for explanation in explanations])
