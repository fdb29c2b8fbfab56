"""Explainers that only ask what happens when players are absent: captum's, shap's, shapiq's.

They work for any model, and most of them estimate what "shapley" computes exactly.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import pdist

from interpmd.attribution.explanation import Explanation
from interpmd.attribution.gauges.games import Game
from interpmd.attribution.methods.common import (
    at_least_one,
    captum_attribution,
    game_of,
    seeded,
    without_rounding,
)
from interpmd.attribution.methods.registry import Request, method
from interpmd.decomposition.clusters import Clusters
from interpmd.errors import MethodError
from interpmd.extras import required

ESTIMATE = (
    "An estimate of Shapley values from a sample of coalitions; for interpmd potentials "
    '"shapley" gives them exactly.'
)
SAMPLED = ("linear",)

#: Evaluations after which recursive Owen values are given up.
MOST_SPLITS = 20_000


@method(
    "ablation",
    computes="change of the target when a player alone is taken away (captum FeatureAblation)",
    guarantees=("null player", "symmetric", "linear"),
    cost="one evaluation per player",
    needs="captum",
)
def ablation(request: Request) -> Explanation:
    """Leave one out: the effect in situ of single players."""
    note = (
        "Effects of single players with all others present overlap: they do not sum to the whole."
    )
    game = game_of(request)
    return _explained(request, game, _captum(game, "FeatureAblation"), note, complete=False)


@method(
    "shapley_sampling",
    computes="Shapley values estimated from random orders (captum ShapleyValueSampling)",
    guarantees=("complete", "null player", *SAMPLED),
    cost="`samples` times players evaluations",
    exact=False,
    needs="captum",
    rounding=1e-6,  # captum sums in float32
)
def shapley_sampling(request: Request, samples: int = 50, seed: int = 0) -> Explanation:
    """Castro et al., Comput. Oper. Res. 36, 1726 (2009)."""
    at_least_one(samples=samples)
    game = game_of(request)
    values = _captum(game, "ShapleyValueSampling", seed=seed, n_samples=samples)
    return _explained(request, game, values, ESTIMATE)


@method(
    "kernel_shap",
    computes="Shapley values estimated by weighted regression (captum KernelShap)",
    guarantees=(),
    cost="`samples` evaluations",
    exact=False,
    needs="captum",
)
def kernel_shap(request: Request, samples: int = 512, seed: int = 0) -> Explanation:
    """Lundberg and Lee, NeurIPS 2017 (arXiv:1705.07874), theorem 2."""
    at_least_one(samples=samples)
    game = game_of(request)
    if len(game.players) == 1:
        return _explained(request, game, game.whole[None], ESTIMATE, complete=False)
    values = _captum(game, "KernelShap", seed=seed, n_samples=samples)
    return _explained(request, game, values, ESTIMATE, complete=False)


@method(
    "shap_exact",
    computes="Shapley values from all coalitions (shap Exact)",
    guarantees=("complete", "null player", "symmetric", "linear"),
    cost="2^players evaluations",
    needs="shap",
)
def shap_exact(request: Request) -> Explanation:
    """All coalitions; at most 14 players."""
    game = game_of(request)
    if len(game.players) > 14:
        raise MethodError(f"all coalitions of {len(game.players)} players are too many")
    note = "Shapley values, interactions divided by a convention (equal shares)."
    values = _shap(game, lambda shap, f, masker: shap.explainers.Exact(f, masker))
    return _explained(request, game, values, note)


@method(
    "shap_permutation",
    computes="Shapley values estimated from permutations and their reverses (shap Permutation)",
    guarantees=("complete", "null player", *SAMPLED),
    cost="`samples` times twice the players evaluations",
    exact=False,
    needs="shap",
)
def shap_permutation(request: Request, samples: int = 10, seed: int = 0) -> Explanation:
    """Exact for pairs of players; orders and reverses: Mitchell et al., JMLR 23, 43 (2022)."""
    at_least_one(samples=samples)
    game = game_of(request)
    evaluations = samples * (2 * len(game.players) + 1)
    values = _shap(
        game,
        lambda shap, f, masker: shap.explainers.Permutation(f, masker, seed=seed),
        seed,
        max_evals=max(evaluations, 2 * len(game.players) + 1),
    )
    return _explained(request, game, values, ESTIMATE)


@method(
    "shap_kernel",
    computes="Shapley values estimated by weighted regression (shap KernelExplainer)",
    guarantees=("complete",),
    cost="`samples` evaluations",
    exact=False,
    needs="shap",
)
def shap_kernel(request: Request, samples: int = 512, seed: int = 0) -> Explanation:
    """As `kernel_shap`, small and large coalitions enumerated first, made complete."""
    at_least_one(samples=samples)
    shap, game = required("shap", "the method shap_kernel"), game_of(request)
    n = len(game.players)
    if n == 1:
        return _explained(request, game, game.whole[None], ESTIMATE)
    with seeded(seed):
        explainer = shap.KernelExplainer(lambda x: game(x > 0.5), np.zeros((1, n)))
        values = explainer.shap_values(np.ones((1, n)), nsamples=samples, silent=True, l1_reg=0)
    return _explained(request, game, np.asarray(values)[0].reshape(n, -1), ESTIMATE)


@method(
    "shap_partition",
    computes="Owen values of a hierarchy of near players (shap Partition)",
    guarantees=("complete", "null player", "linear"),
    cost="players squared evaluations where the hierarchy is balanced, up to 2^players",
    needs="shap",
)
def shap_partition(request: Request) -> Explanation:
    """Players that are near each other enter together: recursive Owen values.

    Raises:
        MethodError: fewer than three players, or a hierarchy so lopsided that it needs more than
            `MOST_SPLITS` evaluations; cut short, shap would share what is left by size, which
            gives something to players that change nothing.
    """
    game = game_of(request)
    n = len(game.players)
    if n < 3:
        raise MethodError("a hierarchy needs three players at least")
    places = np.array([request.atoms.positions[list(p)].mean(0) for p in game.players])
    tree = linkage(pdist(places), "average")
    if (needed := _splits(tree, n)) > MOST_SPLITS:
        raise MethodError(
            f"the hierarchy by distance is lopsided and needs {needed} evaluations, more than "
            f"{MOST_SPLITS}; join atoms to fragments, or use shap_permutation"
        )

    def explainer(shap, f, masker):
        masker = shap.maskers.Partition(np.zeros((1, n)), clustering=tree)
        return shap.explainers.Partition(f, masker)

    note = "Owen values of a hierarchy by distance: which atoms enter together is a convention."
    return _explained(request, game, _shap(game, explainer, max_evals=needed + 2), note)


def _splits(tree: np.ndarray, players: int) -> int:
    """Evaluations that recursive Owen values take: every node is split once with and once
    without each of the nodes beside and above it."""
    visits, total = {2 * players - 2: 1}, 0
    for node in range(2 * players - 2, players - 1, -1):
        total += 2 * visits[node]
        for child in tree[node - players, :2].astype(int).tolist():
            visits[child] = 2 * visits[node]
    return total


@method(
    "shapiq",
    computes="interactions of up to `order` players estimated by regression (shapiq KernelSHAP-IQ)",
    guarantees=(),
    cost="`samples` evaluations",
    exact=False,
    needs="shapiq",
)
def shapiq_interactions(
    request: Request, samples: int = 512, seed: int = 0, index: str = "k-SII"
) -> Explanation:
    """Fumagalli et al., ICML 2024 (arXiv:2405.10852), of any model with many players.

    Raises:
        MethodError: shapiq knows no such index.
    """
    at_least_one(samples=samples)
    shapiq, game = required("shapiq", "the method shapiq"), game_of(request)
    n = len(game.players)
    order = min(2 if request.order is None else request.order, n)
    alone = game(np.eye(n, dtype=bool))  # in which interactions would drown
    known = {"k-SII", "SII"}
    if index not in known:
        raise MethodError(f"index is one of {', '.join(sorted(known))}, not {index!r}")
    values: dict[tuple[int, ...], np.ndarray] = {
        c: alone[c[0]].copy() if len(c) == 1 else np.zeros(alone.shape[1])
        for c in game.up_to(order)
    }
    for component in range(alone.shape[1]):

        def interacting(present: np.ndarray, component: int = component) -> np.ndarray:
            return (game(present) - present @ alone)[:, component]

        with seeded(seed):
            made = shapiq.KernelSHAPIQ(n, max_order=order, index=index, random_state=seed)
            estimate = made.approximate(samples, interacting)
        for members in values:
            values[members][component] += estimate[members]
    name = f"{index} (estimate)"
    note = (
        f"An estimate of {index} from a sample of coalitions, interactions divided by a "
        'convention; for interpmd potentials "shapley_interaction" gives k-SII exactly.'
    )
    members = [sorted(a for p in c for a in game.players[p]) for c in values]
    return Explanation(
        atoms=request.atoms,
        target=request.target,
        clusters=Clusters.of_tuples(members, name, [len(c) for c in values]),
        values=game.functional.shaped(np.array(list(values.values()))),
        predicted=np.asarray(game.functional.shaped(game.whole)),
        statement=note,
        complete=False,
        fragments=request.fragments,
        provenance=request.model.provenance,
    )


def _captum(game: Game, algorithm: str, seed: int = 0, **options) -> np.ndarray:
    """Attributions of interactions by captum, to which what each player has alone is added.

    captum sums in float32, in which the energies of atoms would drown the interactions.
    """
    alone = game(np.eye(len(game.players)))

    def forward(gates: torch.Tensor) -> torch.Tensor:
        present = gates.detach().numpy() > 0.5
        return torch.as_tensor(game(present) - present @ alone)

    if algorithm == "KernelShap":
        options["return_input_shape"] = True
    values = captum_attribution(
        forward,
        algorithm,
        len(game.players),
        len(game.functional.energy),
        seed=seed,
        perturbations_per_eval=64,
        **options,
    )
    if algorithm == "ShapleyValueSampling":  # complete up to the rounding of captum's sums
        values = without_rounding(values, game.whole - alone.sum(0))
    return values + alone


def _shap(game: Game, make: Callable, seed: int = 0, **options) -> np.ndarray:
    shap, n = required("shap", "shap's sampling"), len(game.players)
    masker = shap.maskers.Independent(np.zeros((1, n)), max_samples=1)
    if options:
        options["silent"] = True
    with seeded(seed):
        explainer = make(shap, lambda x: game(np.asarray(x) > 0.5), masker)
        explained = explainer(np.ones((1, n)), **options)
    return np.asarray(explained.values)[0].reshape(n, -1)


def _explained(
    request: Request, game: Game, values: np.ndarray, note: str, complete: bool = True
) -> Explanation:
    return Explanation(
        atoms=request.atoms,
        target=request.target,
        clusters=Clusters.of_tuples(game.players, "value", [1] * len(game.players)),
        values=game.functional.shaped(values),
        predicted=np.asarray(game.functional.shaped(game.whole)),
        statement=note,
        complete=complete,
        fragments=request.fragments,
        provenance=request.model.provenance,
    )
