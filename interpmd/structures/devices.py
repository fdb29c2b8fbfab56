"""Devices of torch, by name."""

from __future__ import annotations

import torch

from interpmd.errors import ArgumentError


def usable(device: str) -> torch.device:
    """A device that torch can compute on.

    Raises:
        ArgumentError: torch has no such device here.
    """
    try:
        return torch.zeros(1, device=device).device
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise ArgumentError(
            f"torch cannot use device {device!r} ({reason}); pass device='cpu'"
        ) from error
