"""Whether what ranks high matters: deletion and insertion curves, infidelity, sensitivity.

Everything is counted from the players alone (their isolated atoms, say): what a player is by
itself belongs to nobody else, and the energies of atoms would drown the interactions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from ase import Atoms
from jaxtyping import Bool, Float
from torch import Tensor

from interpmd.attribution.certificate import Check
from interpmd.attribution.explain import explain
from interpmd.attribution.explanation import Explanation
from interpmd.attribution.fragments import Fragments
from interpmd.attribution.games import Game
from interpmd.attribution.methods.common import extra
from interpmd.attribution.models import Model, as_model
from interpmd.attribution.registry import MethodError
from interpmd.attribution.targets import Force, Target, Torque
from interpmd.potentials.gated import GatedPotential

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Larger than 1 by rounding only.
AT_MOST_ONE = 1 + 1e-9


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
    """

    target: Target
    players: str
    fractions: Float[np.ndarray, " points"]
    deletion: dict[str, Float[np.ndarray, " points"]]
    insertion: dict[str, Float[np.ndarray, " points"]]

    @property
    def areas(self) -> pd.DataFrame:
        """Mean height of each curve in the unit of the target; one line per ranking."""
        curves = {"deletion": self.deletion, "insertion": self.insertion}
        found = {
            kind: {name: float(np.trapezoid(y, self.fractions)) for name, y in by_name.items()}
            for kind, by_name in curves.items()
        }
        return pd.DataFrame(found).rename_axis("ranking")

    def checks(self) -> tuple[Check, ...]:
        """Areas beside those of other rankings; below 1 the explanation ranks better.

        Without limits: where contributions are opposite, the order of exact values may lose to
        chance (exact Shapley values did on up to 17 % of 30 random structures, none of them by
        Stillinger-Weber), and distance is a strong rival where interactions are of short range.

        Example:
            >>> explanation.certificate().with_checks(faithfulness(model, explanation).checks())
        """
        areas, made = self.areas, []
        for rival in ("random", "distance"):
            for kind, better in (("deletion", "more"), ("insertion", "less")):
                own, other = areas.loc["explanation", kind], areas.loc[rival, kind]
                value = _ratio(other, own) if kind == "deletion" else _ratio(own, other)
                words = (
                    f"below 1: {kind} of {self.players} by their values leaves {better} of the "
                    f"target unexplained than by {rival} ranking"
                )
                made.append(Check("faithfulness", f"{kind}, {rival}", value, None, "", words))
        return tuple(made)

    def __repr__(self) -> str:
        unit = self.target.unit
        return f"faithfulness, {self.target} by {self.players}, areas in {unit}:\n{self.areas}"

    def _repr_html_(self) -> str:
        title = f"{self.target} by {self.players}: mean distance from the full value"
        return f"<p><b>{title}</b> ({self.target.unit})</p>{self.areas.round(4).to_html()}"

    def plot(self) -> Figure:
        """Both curves of every ranking, told apart by colour and line style."""
        from interpmd.views.plots import rankings

        unit = self.target.unit.replace("A", "Å")
        return rankings(
            self.fractions,
            {"deletion": self.deletion, "insertion": self.insertion},
            x=f"fraction of {self.players}, highest first",
            y=f"distance from the full {self.target} ({unit})",
        )


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
        MethodError: another word, pairs of a model that has no gates on edges, or nobody who
            could leave.
        ModelError: the model is none.
    """
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
        raise MethodError(f"no {players} that could be taken away from {explanation.target}")
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
    return Faithfulness(explanation.target, players, steps / count, deletion, insertion)


def check_same(model: Any, explanation: Explanation) -> None:
    """Raise MethodError if the model does not say what was explained (to single precision)."""
    game = _game(as_model(model), explanation)
    found = np.asarray(game.functional.shaped(game.whole))
    if not np.allclose(found, explanation.predicted, rtol=1e-5, atol=1e-4):
        raise MethodError(
            f"the model gives {found} {explanation.unit} where {explanation.predicted} was "
            "explained; pass the model that was explained"
        )


def infidelity(
    model: Any, explanation: Explanation, samples: int = 200, seed: int = 0
) -> tuple[Check, Check]:
    """Error of predicting, from the values, what happens when random players are taken away.

    infidelity = mean over sets I of (sum of the values in I - (v(all) - v(all without I)))^2

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
        MethodError: captum is not installed, or nobody could be taken away.
        ModelError: the model is none.
    """
    metrics, game = extra("captum.metrics"), _game(as_model(model), explanation)
    free, ask = _removable(game, explanation.target), _counted(game)
    if not free.any():
        raise MethodError(f"nobody could be taken away from {explanation.target}")
    values = torch.as_tensor((_shares(explanation, game.players, free) - _alone(game))[free])

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

    found, nothing = error(values), error(torch.zeros_like(values))
    unit = explanation.unit
    words = "error of the values as a prediction of what happens when some players leave"
    relative = "the same; 1 is an explanation that says nothing"
    return (
        Check("faithfulness", "infidelity", found, None, unit, words),
        Check(
            "faithfulness", "relative infidelity", _ratio(found, nothing), AT_MOST_ONE, "", relative
        ),
    )


def sensitivity(
    model: Any,
    explanation: Explanation,
    samples: int = 8,
    radius: float = 0.01,
    seed: int = 0,
    **options: Any,
) -> tuple[Check]:
    """Largest relative change of the values when all atoms move a little, by captum.

    Source: Yeh et al., NeurIPS 2019 (arXiv:1901.09392), definition 3.1.

    Args:
        model: what was explained.
        explanation: of a method of `explain`; it is repeated on displaced structures.
        samples: number of displaced structures.
        radius: largest displacement of a coordinate in A.
        seed: of the displacements.
        options: `order` and options of the method, as they were given to `explain`.

    Raises:
        MethodError: captum is not installed, or the method cannot be repeated.
        ModelError: the model is none.
    """
    metrics, wrapped = extra("captum.metrics"), as_model(model)
    fragments, rng = explanation.fragments, np.random.default_rng(seed)
    alone = _alone(_game(wrapped, explanation)) if fragments is None else None

    def values(positions: Tensor) -> Tensor:
        found = []
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
                    fragments=fragments,
                    **options,
                )
            game = _game(wrapped, again)
            own = _alone(game) if alone is None else alone
            everyone = np.ones(len(game.players), dtype=bool)
            found.append((_shares(again, game.players, everyone) - own).ravel())
        return torch.as_tensor(np.array(found))

    def as_given(inputs: Tensor | tuple[Tensor]) -> Tensor | tuple[Tensor]:
        # captum passes a tuple first and tensors later, and wants the same back
        return (values(*inputs),) if isinstance(inputs, tuple) else values(inputs)

    largest = metrics.sensitivity_max(
        as_given,
        torch.as_tensor(explanation.atoms.positions)[None],
        lambda places: places + torch.as_tensor(rng.uniform(-radius, radius, places.shape)),
        n_perturb_samples=samples,
    )
    words = f"largest relative change of the values when atoms move by up to {radius} A"
    return (Check("faithfulness", "sensitivity", float(largest), None, "", words),)


#: From who is present, shape (sets, players), to values of shape (sets, components).
Ask = Callable[[Bool[np.ndarray, "sets players"]], Float[np.ndarray, "sets components"]]


def _atoms(model: Model, explanation: Explanation) -> tuple[Ask, np.ndarray, np.ndarray]:
    """How to ask, sizes of the values, and distances of the players that may leave."""
    game, target = _game(model, explanation), explanation.target
    free, ask = _removable(game, target), _counted(game)
    values = _shares(explanation, game.players, free) - _alone(game)
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
    gated = GatedPotential(model.potential, explanation.atoms)
    pairs, number = np.unique(gated.edges, axis=0, return_inverse=True)
    number = number.reshape(-1)
    functional = explanation.target.functional(explanation.atoms)
    weights = torch.as_tensor(functional.energy), torch.as_tensor(functional.forces)
    by_pair = explanation.by("pair")
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


def _game(model: Model, explanation: Explanation) -> Game:
    return Game(model, explanation.atoms, explanation.target, explanation.fragments)


def _alone(game: Game) -> Float[np.ndarray, "players components"]:
    return game(np.eye(len(game.players), dtype=bool))


def _counted(game: Game) -> Ask:
    """Values counted from those of the players alone."""
    alone = _alone(game)
    return lambda present: game(present) - present @ alone


def _shares(
    explanation: Explanation, players: Fragments, free: Bool[np.ndarray, " players"]
) -> Float[np.ndarray, "players components"]:
    """Values in equal parts to those players of each cluster that may leave.

    With a that stays, the dividend of (a, b) is what b changes: all of it, not half.
    """
    number = np.zeros(len(explanation.atoms), dtype=int)
    for index, members in enumerate(players):
        number[list(members)] = index
    flat = explanation.values.reshape(len(explanation), -1)
    shares = np.zeros((len(players), flat.shape[1]))
    for members, value in zip(explanation.clusters.tuples(), flat, strict=True):
        mine = [number[a] for a in members if free[number[a]]]
        if explanation.fragments is not None:
            mine = sorted(set(mine))
        if mine:
            np.add.at(shares, mine, value / len(mine))
    return shares


def _removable(game: Game, target: Target) -> Bool[np.ndarray, " players"]:
    """Which players may leave: without the atoms that feel a force there is nothing to explain."""
    stay = set(target.indices) if isinstance(target, Force) else set()
    return np.array([not stay & set(members) for members in game.players], dtype=bool)


def _focus(target: Target) -> list[int] | None:
    """The atoms that a target is about; None for all."""
    if isinstance(target, Force):
        return target.indices
    return list(target.dihedral) if isinstance(target, Torque) else None


def _distances(atoms: Atoms) -> Float[np.ndarray, "atoms atoms"]:
    return atoms.get_all_distances(mic=bool(atoms.pbc.any()))


def _without_some(gates: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Random players to take away, as 1 where they leave, and the gates that are left."""
    count, players = gates.shape
    sizes = rng.integers(1, players + 1, count)
    place = np.argsort(rng.random((count, players)), axis=1)
    away = torch.as_tensor((place < sizes[:, None]).astype(float))
    return away, gates - away


def _ratio(value: float, other: float) -> float:
    return 1.0 if max(abs(value), abs(other)) < 1e-12 else float(value / max(other, 1e-300))
