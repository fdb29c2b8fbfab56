"""How much each label counts in a fit, and what the fit may use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ase import Atoms

from interpmd.fitting.labels import subset_of


@dataclass(frozen=True)
class FitSettings:
    """How much each label counts in a fit, and what the fit may use.

    Attributes:
        energy_weight: weight of an energy relative to a force component, times the square root
            of the number of atoms, in 1/Å.
        virial_weight: weight of a virial component relative to a force component, in 1/Å.
        subset_weights: factors on all three by the subset of a frame; 1 where not given.
        memory: limit in GiB for the normal equations.
        seed: of the random radial network, the split and the samples.
        device: on which the normal equations are made and solved.
    """

    energy_weight: float = 40.0
    virial_weight: float = 1.0
    subset_weights: Mapping[str, float] = field(default_factory=dict)
    memory: float = 5.0
    seed: int = 0
    device: str = "cpu"

    def factor(self, atoms: Atoms) -> float:
        """Factor on the weights of the labels of a frame."""
        return self.subset_weights.get(subset_of(atoms), 1.0)
