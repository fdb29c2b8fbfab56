"""Whether what ranks high matters: deletion and insertion curves.

Everything is counted from the players alone (their isolated atoms, say): what a player is by
itself is shared with no other player, and the energies of atoms would drown the interactions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from ase import Atoms
from jaxtyping import Float

from interpmd import arguments
from interpmd.attribution.certificate import Check
from interpmd.attribution.explanation import Explanation
from interpmd.attribution.models import Model, as_model
from interpmd.attribution.targets import Force, Target, Torque
from interpmd.decomposition.gated import GatedPotential
from interpmd.errors import MethodError
from interpmd.markup import markup, table
from interpmd.plots import rankings
from interpmd.trust.removal import (
    Ask,
    counted_from_alone,
    game_of,
    ratio,
    removable,
    shares_of,
    values_alone,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False, repr=False)
class Faithfulness:
    """How fast the target changes as players leave, or returns as they come, in some order.

    Attributes:
        target: what was explained.
        players: "atoms", "fragments" or "pairs".
        fractions: of the players that have left (deletion) or come (insertion), shape (points,).
        deletion: by ranking ("explanation", "distance", "random"), distance of the target from
            its full value when the players that rank highest have left, in the unit of the
            target, shape (points,); the larger, the more these players matter.
        insertion: the same when only the players that rank highest are there; the smaller, the
            fewer suffice to explain the target.
        subject: the target in words.
    """

    target: Target
    players: str
    fractions: Float[np.ndarray, " points"]
    deletion: dict[str, Float[np.ndarray, " points"]]
    insertion: dict[str, Float[np.ndarray, " points"]]
    subject: str

    @property
    def areas(self) -> pd.DataFrame:
        """Mean height of each curve in the unit of the target; one line per ranking."""
        curves = {"deletion": self.deletion, "insertion": self.insertion}
        areas = {
            kind: {name: float(np.trapezoid(y, self.fractions)) for name, y in by_name.items()}
            for kind, by_name in curves.items()
        }
        return pd.DataFrame(areas).rename_axis("ranking")

    def checks(self) -> tuple[Check, ...]:
        """Areas beside those of other rankings; below 1 the explanation ranks better.

        Without limits: where contributions are opposite, the order of exact values may lose to
        chance (exact Shapley values did on up to 17 % of 30 random structures, none of them by
        Stillinger-Weber), and distance is a strong rival where interactions are of short range.
        ``certificate.with_checks(curves.checks())`` adds them to a certificate.
        """
        areas, made = self.areas, []
        for rival in ("random", "distance"):
            for kind, better in (("deletion", "more"), ("insertion", "less")):
                own, other = areas.loc["explanation", kind], areas.loc[rival, kind]
                value = ratio(other, own) if kind == "deletion" else ratio(own, other)
                words = (
                    f"below 1: {kind} of {self.players} by their values leaves {better} of the "
                    f"target unexplained than by {rival} ranking"
                )
                made.append(Check("faithfulness", f"{kind}, {rival}", value, None, "", words))
        return tuple(made)

    def __repr__(self) -> str:
        unit = self.target.unit
        return f"faithfulness, {self.subject} by {self.players}, areas in {unit}:\n{self.areas}"

    def _repr_html_(self) -> str:
        title = f"{self.subject} by {self.players}: mean distance from the full value"
        areas = table(self.areas.round(4))
        return markup("<p><b>{}</b> ({})</p>{}", title, self.target.unit, areas)

    def plot(self) -> tuple[Axes, ...]:
        """Both curves of every ranking, told apart by colour and line style."""
        unit = self.target.unit.replace("A", "Å")
        figure = rankings(
            self.fractions,
            {"deletion": self.deletion, "insertion": self.insertion},
            x=f"fraction of {self.players}, highest first",
            y=f"distance from the full\n{self.subject} ({unit})",
        )
        return tuple(figure.axes)


def faithfulness(
    model: Any,
    explanation: Explanation,
    players: str = "atoms",
    points: int = 20,
    repeats: int = 20,
    seed: int = 0,
) -> Faithfulness:
    """Deletion and insertion curves of an explanation, beside those of other rankings.

    Players leave (deletion) or come (insertion) in the order of the sizes of their values; of
    their nearness to what is explained (to the atoms that feel the force, to the atoms of the
    dihedral, for energies to all others; short pairs before long ones); and in random orders.
    Atoms that feel the force never leave. Pairs leave by their gates, with all their images.

    Source: Petsiuk et al., BMVC 2018 (arXiv:1806.07421), section 4.2; here the distance from the
    full value, so that opposite contributions do not pass for small ones.

    Args:
        model: what was explained.
        explanation: of any method.
        players: "atoms" (the explanation's fragments where it has some) or "pairs".
        points: most steps of a curve.
        repeats: number of random orders, whose mean is shown.
        seed: of the random orders.

    Raises:
        MethodError: another word, pairs of a model that has no gates on edges or of a
            difference, or no player that can leave.
        GaugeError: the gauge "internal", whose coordinates cannot leave.
        ModelError: the model gives no energies and forces.
    """
    arguments.seeds(seed=seed)
    wrapped, rng = as_model(model), np.random.default_rng(seed)
    if players == "pairs":
        ask, sizes, near = _pairs(wrapped, explanation)
    elif players == "atoms":
        ask, sizes, near = _atoms(wrapped, explanation)
        players = "atoms" if explanation.fragments is None else "fragments"
    else:
        raise MethodError(f'players are "atoms" or "pairs", not {players!r}')
    count = len(sizes)
    if not count:
        raise MethodError(f"no {players} that could be taken away from {explanation.subject}")
    orders = {
        "explanation": [np.argsort(-sizes, kind="stable")],
        "distance": [np.argsort(near, kind="stable")],
        "random": [rng.permutation(count) for _ in range(repeats)],
    }
    steps = np.unique(np.linspace(0, count, points + 1).round().astype(int))
    place = np.array([np.argsort(order) for group in orders.values() for order in group])
    first = place[:, None, :] < steps[None, :, None]
    present = np.stack([~first, first]).reshape(-1, count)
    values = ask(present).reshape(2, len(place), len(steps), -1)
    full = ask(np.ones((1, count), dtype=bool))
    away = np.linalg.norm(values - full, axis=-1)
    parts = np.cumsum([len(group) for group in orders.values()])[:-1]
    deletion, insertion = (
        {name: part.mean(0) for name, part in zip(orders, np.split(kind, parts), strict=True)}
        for kind in away
    )
    return Faithfulness(
        explanation.target, players, steps / count, deletion, insertion, explanation.subject
    )


def _atoms(model: Model, explanation: Explanation) -> tuple[Ask, np.ndarray, np.ndarray]:
    """How to ask, sizes of the values, and distances of the players that may leave."""
    game, target = game_of(model, explanation), explanation.target
    free, ask = removable(game, target), counted_from_alone(game)
    values = shares_of(explanation, game.players, free) - values_alone(game)
    places = _distances(explanation.atoms)
    focus = _focus(target)
    near = places.mean(1) if focus is None else places[:, focus].min(1)
    nearest = np.array([near[list(members)].min() for members in game.players])

    def among_free(present: np.ndarray) -> np.ndarray:
        everyone = np.ones((len(present), len(free)), dtype=bool)
        everyone[:, free] = present
        return ask(everyone)

    return among_free, np.linalg.norm(values, axis=1)[free], nearest[free]


def _pairs(model: Model, explanation: Explanation) -> tuple[Ask, np.ndarray, np.ndarray]:
    """How to ask, sizes of the values, and distances of the pairs that have gates."""
    if model.potential is None or model.potential.global_terms:
        terms = "" if model.potential is None else ", ".join(model.potential.global_terms)
        why = f"{terms} depends on the whole structure" if terms else f"{model.name} has none"
        raise MethodError(f'pairs need gates on edges, and {why}; pass players="atoms"')
    if explanation.reference is not None:
        raise MethodError('pairs leave one structure, and this is a difference; take "atoms"')
    gated = GatedPotential(model.potential, explanation.atoms)
    pairs, number = np.unique(gated.edges, axis=0, return_inverse=True)
    number = number.reshape(-1)
    functional = explanation.target.functional(explanation.atoms)
    weights = torch.as_tensor(functional.energy), torch.as_tensor(functional.forces)
    by_pair = explanation.by("pair", components=True)
    zero = np.zeros(explanation.values.shape[1:])
    known = dict(zip(by_pair.index, by_pair.to_numpy(), strict=True))
    sizes = [np.linalg.norm(np.atleast_1d(known.get((i, j), zero))) for i, j in pairs.tolist()]
    places, focus = _distances(explanation.atoms), _focus(explanation.target)
    if focus is None:
        near = places[pairs[:, 0], pairs[:, 1]]
    else:
        to_focus = places[:, focus].min(1)
        near = to_focus[pairs[:, 0]] + to_focus[pairs[:, 1]]

    def ask(present: np.ndarray) -> np.ndarray:
        gates = torch.as_tensor(present[:, number].astype(float))
        return gated.values(*weights, edge_gates=gates).detach().numpy()

    return ask, np.array(sizes), near


def _focus(target: Target) -> list[int] | None:
    """The atoms that a target is about; None for all."""
    if isinstance(target, Force):
        return target.indices
    return [int(a) for a in target.dihedral] if isinstance(target, Torque) else None


def _distances(atoms: Atoms) -> Float[np.ndarray, "atoms atoms"]:
    return atoms.get_all_distances(mic=bool(atoms.pbc.any()))
