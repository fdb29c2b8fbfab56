"""Do explanations stay when atoms move a little? The sensitivity of captum.

Everything is counted from the players alone, as in `interpmd.trust.rankings`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interpmd import arguments
from interpmd.attribution.certificate import Check
from interpmd.attribution.explanation import Explanation
from interpmd.attribution.methods.dispatch import explain
from interpmd.attribution.models import Model, as_model
from interpmd.extras import required
from interpmd.markup import markup
from interpmd.trust.removal import game_of, shares_of, values_alone


@dataclass(frozen=True)
class Sensitivity:
    """How far values move when atoms do.

    Attributes:
        largest: relative change of the values.
        radius: Å, of the displacements.
    """

    largest: float
    radius: float

    def checks(self) -> tuple[Check, ...]:
        """The change, noted: there is no limit to compare with."""
        words = f"largest relative change of the values when atoms move by up to {self.radius} Å"
        return (Check("faithfulness", "sensitivity", self.largest, None, "", words),)

    def __str__(self) -> str:
        return (
            f"sensitivity: the values change by up to {self.largest:.2g} of their size when atoms "
            f"move by up to {self.radius:g} Å"
        )

    def _repr_html_(self) -> str:
        return markup("<p>{}</p>", self)


def sensitivity(
    model: Any,
    explanation: Explanation,
    samples: int = 8,
    radius: float = 0.01,
    seed: int = 0,
    **options: Any,
) -> Sensitivity:
    """Largest relative change of the values when all atoms move a little, by captum.

    Source: Yeh et al., NeurIPS 2019 (arXiv:1901.09392), definition 3.1.

    Args:
        model: what was explained.
        explanation: of a method of `explain`; it is repeated on displaced structures.
        samples: number of displaced structures.
        radius: largest displacement of a coordinate in Å.
        seed: of the displacements.
        options: `order` and options of the method, as they were given to `explain`.

    Raises:
        MissingPackageError: captum is not installed.
        MethodError: the method cannot be repeated.
        ModelError: the model gives no energies and forces.
    """
    arguments.of_class(Explanation, explanation=explanation)
    arguments.count(samples=samples)
    arguments.positive(radius=radius)
    arguments.seeds(seed=seed)
    metrics = required("captum.metrics", "the sensitivity of an explanation")
    wrapped = as_model(model)
    rng = np.random.default_rng(seed)

    def values(positions: Tensor) -> Tensor:
        shares = []
        for places in positions.detach().numpy():
            moved = explanation.atoms.copy()
            moved.positions = places
            with torch.enable_grad():  # captum switches gradients off
                again = explain(
                    wrapped,
                    moved,
                    explanation.target,
                    explanation.method,
                    context=explanation.context,
                    fragments=explanation.fragments,
                    gauge=explanation.gauge,
                    **options,
                )
            shares.append(_shares(wrapped, again).ravel())
        return torch.as_tensor(np.array(shares))

    def as_given(inputs: Tensor | tuple[Tensor]) -> Tensor | tuple[Tensor]:
        # captum passes a tuple first and tensors later, and wants the same back
        return (values(*inputs),) if isinstance(inputs, tuple) else values(inputs)

    largest = metrics.sensitivity_max(
        as_given,
        torch.as_tensor(explanation.atoms.positions)[None],
        lambda places: places + torch.as_tensor(rng.uniform(-radius, radius, places.shape)),
        n_perturb_samples=samples,
    )
    return Sensitivity(float(largest), radius)


def _shares(model: Model, explanation: Explanation) -> Float[np.ndarray, "players components"]:
    """What each player, or each atom of a coordinate, gets beyond what it is alone."""
    everyone = np.ones(len(explanation.fragments or explanation.atoms), dtype=bool)
    if explanation.gauge == "internal":
        return shares_of(explanation, [(i,) for i in range(len(everyone))], everyone)
    game = game_of(model, explanation)
    return shares_of(explanation, game.players, everyone) - values_alone(game)
