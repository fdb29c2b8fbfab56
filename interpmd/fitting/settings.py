"""How much each label counts in a fit, and what the fit may use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ase import Atoms

from interpmd import arguments
from interpmd.errors import ArgumentError
from interpmd.fitting.labels import is_isolated, subset_of


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
        mean_weight: as `energy_weight`, of the mean energy of the frames of a molecule; None where
            energies of molecules are comparable.
        soft_weight: of forces by what they are worth in a relaxation, in (eV/Å²)^½, relative to a
            force component; see `interpmd.fitting.soft`.
    """

    energy_weight: float = 40.0
    virial_weight: float = 1.0
    subset_weights: Mapping[str, float] = field(default_factory=dict)
    memory: float = 5.0
    seed: int = 0
    device: str = "cpu"
    mean_weight: float | None = None
    soft_weight: float = 0.0

    def factor(self, atoms: Atoms) -> float:
        """Factor on the weights of the labels of a frame."""
        return self.subset_weights.get(subset_of(atoms), 1.0)

    @property
    def key(self) -> str:
        """What of them changes a fit, for checkpoints."""
        of_subsets = sorted(self.subset_weights.items())
        weights = self.energy_weight, self.virial_weight, self.mean_weight, self.soft_weight
        return f"{self.seed} {weights} {of_subsets}"


def check_numbers(
    energy_weight: float,
    virial_weight: float,
    memory: float,
    seed: int,
    ridge: float | None,
    validation: float | None,
    refine: int | None,
    mean_weight: float | None = None,
    soft_weight: float = 0.0,
) -> None:
    """Raise ArgumentError for a number that makes no sense; for their meaning see `fit`."""
    arguments.not_negative(
        energy_weight=energy_weight, virial_weight=virial_weight, soft_weight=soft_weight
    )
    arguments.positive(memory=memory)
    arguments.seeds(seed=seed)
    if validation is not None:
        arguments.part(validation=validation)
    arguments.count(0, refine=refine or 0)
    if ridge is not None:
        arguments.positive(ridge=ridge)
    if mean_weight is not None:
        arguments.not_negative(mean_weight=mean_weight)


def check_subset_weights(frames: Sequence[Atoms], weights: Mapping[str, float]) -> dict[str, float]:
    """The weights of subsets as numbers.

    Raises:
        ArgumentError: a subset that no frame is of, a weight that is negative or no number, or
            nothing but weights of zero.
    """
    subsets = {subset_of(atoms) for atoms in frames}
    found = arguments.factors(subsets, weights, "subset_weights")
    if found and not any(found.get(subset_of(a), 1.0) for a in frames if not is_isolated(a)):
        raise ArgumentError("all weights are 0, so that there is nothing to learn")
    return found
