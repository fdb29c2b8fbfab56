"""Players that leave: what the target is without them, and what their values claim."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from ase import Atoms
from jaxtyping import Bool, Float

from interpmd import arguments
from interpmd.attribution.explanation import Explanation
from interpmd.attribution.gauges.base import Gauge
from interpmd.attribution.gauges.choice import GAUGES
from interpmd.attribution.gauges.games import Game
from interpmd.attribution.gauges.molecules import MoleculesGauge
from interpmd.attribution.models import Model, as_model
from interpmd.attribution.targets import Force, Target
from interpmd.errors import MethodError

#: From who is present, shape (sets, players), to values of shape (sets, components).
Ask = Callable[[Bool[np.ndarray, "sets players"]], Float[np.ndarray, "sets components"]]


class Difference:
    """The game of a difference: players leave both structures.

    Args:
        game: of the structure. reference: of the one from which the difference is explained.
    """

    def __init__(self, game: Game, reference: Game) -> None:
        self.game, self.reference = game, reference
        self.players = game.players

    def __call__(
        self, present: Bool[np.ndarray, "coalitions players"]
    ) -> Float[np.ndarray, "coalitions components"]:
        """Values of coalitions."""
        return self.game(present) - self.reference(present)


def game_of(model: Model, explanation: Explanation) -> Game | Difference:
    """The game that was explained, in which players leave as its gauge has it.

    Raises:
        GaugeError: the gauge "internal", whose coordinates cannot leave.
    """
    arguments.of_class(Explanation, explanation=explanation)
    gauge = gauge_of(explanation)
    game = gauge.game(model, explanation.atoms, explanation.target)
    if explanation.reference is None:
        return game
    return Difference(game, gauge.game(model, explanation.reference, explanation.target))


def gauge_of(explanation: Explanation) -> Gauge:
    """The gauge of an explanation, made again for its structure."""
    if explanation.gauge == "molecules" and explanation.kinds_of_terms is None:
        return MoleculesGauge(explanation.fragments or ())  # a molecule's own force is one row
    return GAUGES[explanation.gauge].of(frames_of(explanation), explanation.fragments)


def frames_of(explanation: Explanation) -> list[Atoms]:
    """The structure that was explained, and the one that it was compared with."""
    both = explanation.atoms, explanation.reference
    return [atoms for atoms in both if atoms is not None]


def values_alone(game: Game | Difference) -> Float[np.ndarray, "players components"]:
    """Value of every player by itself."""
    return game(np.eye(len(game.players), dtype=bool))


def counted_from_alone(game: Game | Difference) -> Ask:
    """Values counted from those of the players alone."""
    alone = values_alone(game)
    return lambda present: game(present) - present @ alone


def shares_of(
    explanation: Explanation, players: Sequence[Sequence[int]], free: Bool[np.ndarray, " players"]
) -> Float[np.ndarray, "players components"]:
    """Values in equal parts to those players of each cluster that may leave.

    With a that stays, the dividend of (a, b) is what b changes: all of it, not half.
    """
    number = np.zeros(len(explanation.atoms), dtype=int)
    for index, members in enumerate(players):
        number[list(members)] = index
    flat = explanation.values.reshape(len(explanation), -1)
    shares = np.zeros((len(players), flat.shape[1]))
    for members, value in zip(explanation.members, flat, strict=True):
        sharing = [number[a] for a in members if free[number[a]]]
        if explanation.fragments is not None:
            sharing = sorted(set(sharing))
        if sharing:
            np.add.at(shares, sharing, value / len(sharing))
    return shares


def removable(game: Game | Difference, target: Target) -> Bool[np.ndarray, " players"]:
    """Which players may leave: without the atoms that feel a force there is nothing to explain."""
    stay = set(target.indices) if isinstance(target, Force) else set()
    return np.array([not stay & set(members) for members in game.players], dtype=bool)


def check_same(model: Any, explanation: Explanation) -> None:
    """Raise MethodError if the model does not say what was explained (to single precision)."""
    arguments.of_class(Explanation, explanation=explanation)
    frames, known = frames_of(explanation), as_model(model)
    values = []
    for atoms in frames:
        functional = explanation.target.functional(atoms)
        energies, forces = known.evaluate([atoms])
        of_frame = functional.of(energies, np.asarray(forces))[0]
        values.append(np.asarray(functional.shaped(of_frame)))
    whole = values[0] if len(values) == 1 else values[0] - values[1]
    if not np.allclose(whole, explanation.predicted, rtol=1e-5, atol=1e-4):
        raise MethodError(
            f"the model gives {whole} {explanation.unit} where {explanation.predicted} was "
            "explained; pass the model that was explained"
        )


def ratio(value: float, other: float) -> float:
    """One number over another; 1 if both vanish."""
    return 1.0 if max(abs(value), abs(other)) < 1e-12 else float(value / max(other, 1e-300))
