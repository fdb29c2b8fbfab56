"""Where a potential comes from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Card:
    """Where a potential comes from; written beside the weights as JSON.

    Attributes:
        level: level of theory of the training data, for instance "wb97x-d3bj/def2-svp".
        provenance: versions, seeds, data sets, and how the fit was made.
        errors: test errors by subset.
        certificate: checks that it passed or failed when it was made; see `interpmd.certify`.
    """

    level: str | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, Any] = field(default_factory=dict)
    certificate: list[dict[str, Any]] = field(default_factory=list)
