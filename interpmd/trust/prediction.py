"""Values as a prediction of what happens when players leave: the infidelity of captum.

Everything is counted from the players alone, as in `interpmd.trust.rankings`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interpmd import arguments
from interpmd.attribution.certificate import Check
from interpmd.attribution.explanation import Explanation
from interpmd.attribution.models import as_model
from interpmd.errors import MethodError
from interpmd.extras import required
from interpmd.markup import markup
from interpmd.plots import parity
from interpmd.trust.removal import (
    counted_from_alone,
    game_of,
    ratio,
    removable,
    shares_of,
    values_alone,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Larger than 1 by rounding only.
AT_MOST_ONE = 1 + 1e-9


@dataclass(frozen=True, eq=False, repr=False)
class Infidelity:
    """How wrong values are as a prediction of what happens when players leave.

    Attributes:
        error: root mean square over sets of players, in `unit`.
        relative: the same over that of values that are all 0; above 1 the values are worse
            than no values.
        unit: of the target.
        changes: of the target when each set leaves, in `unit`, shape (sets, components).
        predicted: the same by the values: their sums over the sets, shape (sets, components).
    """

    error: float
    relative: float
    unit: str
    changes: Float[np.ndarray, "sets components"]
    predicted: Float[np.ndarray, "sets components"]

    def checks(self) -> tuple[Check, ...]:
        """The error, noted, and the relative one, which must not be above 1."""
        words = "error of the values as a prediction of what happens when some players leave"
        relative = "the same; 1 is an explanation that says nothing"
        return (
            Check("faithfulness", "infidelity", self.error, None, self.unit, words),
            Check("faithfulness", "relative infidelity", self.relative, AT_MOST_ONE, "", relative),
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Changes of the target by the values, against what they are; one point a set."""
        unit = self.unit.replace("/A", "/Å")
        points = {"sets": (self.changes, self.predicted)}
        label = f"change when players leave ({unit})"
        return parity(points, label, "model", "values", f"infidelity {self.error:.3g} {unit}", ax)

    def __repr__(self) -> str:
        return (
            f"infidelity {self.error:.3g} {self.unit}: error of the values as a prediction of what "
            f"happens when players leave; {self.relative:.2g} of that of values that are all 0"
        )

    def _repr_html_(self) -> str:
        return markup("<p>{}</p>", repr(self))


def infidelity(
    model: Any, explanation: Explanation, samples: int = 200, seed: int = 0
) -> Infidelity:
    """Error of predicting, from the values, what happens when random players are taken away.

    infidelity = mean over sets I of (sum of the values in I − (v(all) − v(all without I)))²

    by captum; its square root is returned, in the unit of the target and relative to that of an
    explanation that says nothing (all values 0): more than that fails. Where players interact no
    values are without error. Sets: uniform in their size, then in their members; atoms that feel
    the force stay.

    Source: Yeh et al., NeurIPS 2019 (arXiv:1901.09392), definition 2.1.

    Args:
        model: what was explained.
        explanation: of any method; values are shared equally by those atoms (or fragments) of
            each cluster that may leave. A method that has given a share to the atom that feels
            the force, as "shapley" does, predicts the less for the others.
        samples: number of sets.
        seed: of the sets.

    Raises:
        MissingPackageError: captum is not installed.
        MethodError: no player can be taken away.
        GaugeError: the gauge "internal", whose coordinates cannot leave.
        ModelError: the model gives no energies and forces.
    """
    arguments.seeds(seed=seed)
    arguments.count(samples=samples)
    metrics = required("captum.metrics", "the infidelity of an explanation")
    game = game_of(as_model(model), explanation)
    free, ask = removable(game, explanation.target), counted_from_alone(game)
    if not free.any():
        raise MethodError(f"no player can be taken away from {explanation.subject}")
    values = torch.as_tensor(
        (shares_of(explanation, game.players, free) - values_alone(game))[free]
    )

    def forward(gates: Tensor) -> Tensor:
        present = np.ones((len(gates), len(free)), dtype=bool)
        present[:, free] = gates.detach().numpy() > 0.5
        return torch.as_tensor(ask(present))

    def error(of: Tensor) -> float:
        total = 0.0
        for component in range(of.shape[1]):  # the same sets for all
            generator = np.random.default_rng(seed)
            total += float(
                metrics.infidelity(
                    forward,
                    lambda gates, g=generator: _without_some(gates, g),
                    torch.ones(1, len(of), dtype=torch.float64),
                    of[None, :, component],
                    target=component,
                    n_perturb_samples=samples,
                )
            )
        return float(np.sqrt(total))

    own, nothing = error(values), error(torch.zeros_like(values))
    everyone = torch.ones(samples, len(values), dtype=torch.float64)
    away, left = _without_some(everyone, np.random.default_rng(seed))
    changes = (forward(everyone[:1]) - forward(left)).numpy()
    return Infidelity(own, ratio(own, nothing), explanation.unit, changes, (away @ values).numpy())


def _without_some(gates: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Random players to take away, as 1 where they leave, and the gates that are left."""
    count, players = gates.shape
    sizes = rng.integers(1, players + 1, count)
    place = np.argsort(rng.random((count, players)), axis=1)
    away = torch.as_tensor((place < sizes[:, None]).astype(float))
    return away, gates - away
