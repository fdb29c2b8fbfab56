"""What a check has found in the labels: said, and raised or warned of."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from interpmd.errors import LabelError, LabelWarning


@dataclass(frozen=True)
class Finding:
    """Something about the labels that a user should know before trusting a fit.

    Attributes:
        check: what was looked at, such as "forces" or "stress".
        what: what was found and how large it is, a sentence without its full stop.
        advice: what to do about it.
        frames: indices of the frames that it is about; empty if about all.
        weight: "error" where labels contradict each other, "warning" where a fit can live with
            it, "note" for what could not be determined.
    """

    check: str
    what: str
    advice: str = ""
    frames: tuple[int, ...] = ()
    weight: Literal["error", "warning", "note"] = "warning"

    def __str__(self) -> str:
        return f"{self.what}; {self.advice}" if self.advice else self.what


def settle(findings: Iterable[Finding], stacklevel: int = 4) -> tuple[Finding, ...]:
    """Raise the first contradiction, warn of what is suspicious, and return all findings.

    Args:
        findings: of any checks.
        stacklevel: from here to the line that the warnings shall point at.

    Raises:
        LabelError: labels contradict each other.
    """
    found = tuple(findings)
    if errors := [f for f in found if f.weight == "error"]:
        others = f" (and {len(errors) - 1} more: {errors[1].what})" if len(errors) > 1 else ""
        raise LabelError(f"{errors[0]}{others}")
    for finding in found:
        if finding.weight == "warning":
            warnings.warn(str(finding), LabelWarning, stacklevel=stacklevel)
    return found


def named(frames: Sequence[int] | np.ndarray, most: int = 8) -> str:
    """Frames by their indices: "frame 3", "frames 3, 5 and 7", "frames 3, 5, ... (40 in all)"."""
    indices = [int(i) for i in frames]
    if len(indices) == 1:
        return f"frame {indices[0]}"
    if len(indices) <= most:
        return f"frames {', '.join(map(str, indices[:-1]))} and {indices[-1]}"
    return f"frames {', '.join(map(str, indices[:most]))}, ... ({len(indices)} in all)"
