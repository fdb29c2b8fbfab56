"""What an expansion has to reproduce of a frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Targets:
    """What the expansion has to reproduce of one frame (baseline terms already subtracted).

    Attributes:
        energy: eV. forces: eV/Å, shape (atoms, 3). stress: eV/Å³, shape (3, 3), or None.
            NaN where a frame or an atom has no label.
        energy_weight, force_weight, virial_weight: 1/standard deviation of labels, in units of
            1/eV, Å/eV and 1/eV.
        soft_weight: in (eV/Å²)^½, see `interpmd.fitting.soft`; equations have it, judges do not.
    """

    energy: float
    forces: np.ndarray
    stress: np.ndarray | None = None
    energy_weight: float = 1.0
    force_weight: float = 1.0
    virial_weight: float = 1.0
    soft_weight: float = 0.0
