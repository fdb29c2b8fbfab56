"""Exact methods: sums of the rows of the table, or of the dividends of a game.

For an interpmd potential everything here costs one decomposition. For anything else (a quantum
code, a network without a table) the dividends come from evaluations of parts of the structure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from jaxtyping import Float

from interpmd.attribution.explanation import Explanation
from interpmd.attribution.gauges.atoms import AtomsGauge
from interpmd.attribution.gauges.grouped import GroupsGauge
from interpmd.attribution.gauges.molecules import MoleculesGauge
from interpmd.attribution.methods import indices
from interpmd.attribution.methods.atoms import widened, widened_values
from interpmd.attribution.methods.common import game_of, predicted
from interpmd.attribution.methods.groups import dividends_of_groups, rows_of_groups
from interpmd.attribution.methods.indices import Players, Values
from interpmd.attribution.methods.inside import open_molecules
from interpmd.attribution.methods.registry import Request, method
from interpmd.decomposition import Decomposition
from interpmd.decomposition.clusters import Clusters
from interpmd.decomposition.sites import subsets_of_neighbours
from interpmd.errors import MethodError
from interpmd.potentials.baseline import baselines
from interpmd.structures.fragments import fragments_of

#: Most parts of a structure that are evaluated where there is no table.
MOST_PARTS = 70_000

#: Where the table of atoms leaves remainders, all parts of a game without an order are evaluated
#: instead if there are no more than this.
FEW_PARTS = 4096

CONVENTION = (
    "The sum is fact; that it is split into pure contributions (which vanish when a player leaves) "
    "is a convention"
)
EXACT = ("complete", "null player", "symmetric", "linear")


@method(
    "mobius",
    computes="contribution of each cluster beyond all its parts (many-body expansion, Harsanyi "
    "dividend); in_situ: effect of taking it away from the whole",
    guarantees=(*EXACT, "momentum"),
    cost="one decomposition; without a table one evaluation per cluster",
    contexts=("vacuum", "in_situ"),
    error_bars=True,
)
def mobius(request: Request, error_bars: bool = True) -> Explanation:
    """Rows of the table, or dividends of the game."""
    if request.context == "in_situ":
        return _in_situ(request, error_bars)
    if isinstance(request.gauge, GroupsGauge):
        return rows_of_groups(request, request.gauge, error_bars)
    if request.model.potential is None or request.fragments is not None:
        explanation = _of_game(request, error_bars)
        gauge, functional = request.gauge, request.target.functional(request.atoms)
        if isinstance(gauge, MoleculesGauge) and gauge.frames and not functional.energy.any():
            return open_molecules(request, gauge, explanation, error_bars)
        return explanation
    table = request.model.table(request.atoms, request.order)
    values, samples = _parted(request, _rows(request, table, error_bars))
    rest = "; remainders are what lies above the chosen order" * bool(table.remainder.any()) + "."
    momentum, torque = _conservation(table)
    return Explanation(
        atoms=request.atoms,
        target=request.target,
        clusters=table.clusters.sited(),
        values=values,
        predicted=predicted(request),
        statement=_convention(request, rest),
        samples=samples,
        checks={"momentum": momentum, "torque": torque},
        gauge=request.gauge.name,
        provenance=request.model.provenance,
    )


@method(
    "shapley",
    computes="Shapley value of each atom or fragment: mean effect of its joining, over all orders",
    guarantees=EXACT,
    cost="one decomposition; without a table 2^players evaluations",
    error_bars=True,
    whole_table=True,
)
def shapley(request: Request, error_bars: bool = True) -> Explanation:
    """Every dividend in equal parts to its players."""
    return _index(request, "Shapley value", indices.shapley, error_bars)


@method(
    "shapley_interaction",
    computes="k-Shapley interactions (k-SII) of up to `order` players",
    guarantees=("complete", "symmetric", "linear"),
    cost="one decomposition; without a table 2^players evaluations",
    error_bars=True,
    whole_table=True,
)
def shapley_interaction(request: Request, error_bars: bool = True) -> Explanation:
    """Interaction indices, made to sum to the whole."""
    order = _interaction_order(request)
    return _index(request, "k-SII", lambda values: indices.k_shapley(values, order), error_bars)


@method(
    "shapley_taylor",
    computes="Shapley-Taylor interactions: dividends below `order`, larger ones shared among "
    "the clusters of `order` players inside",
    guarantees=EXACT,
    cost="one decomposition; without a table 2^players evaluations",
    error_bars=True,
    whole_table=True,
)
def shapley_taylor(request: Request, error_bars: bool = True) -> Explanation:
    """Dividends up to an order that take in everything above."""
    order = _interaction_order(request)
    return _index(
        request, "Shapley-Taylor", lambda values: indices.shapley_taylor(values, order), error_bars
    )


@method(
    "owen",
    computes="Owen value of each atom, fragments (molecules if not given) acting as unions",
    guarantees=("complete", "null player", "linear"),
    cost="one decomposition; without a table 2^players evaluations",
    error_bars=True,
    whole_table=True,
    gauges=("molecules", "atoms"),
)
def owen(request: Request, error_bars: bool = True) -> Explanation:
    """Dividends in equal parts to the fragments in them, then to the atoms of each."""
    unions = request.fragments or fragments_of(request.atoms)
    alone = replace(request, fragments=None, gauge=AtomsGauge())
    return _index(alone, "Owen value", lambda values: indices.owen(values, unions), error_bars)


def _index(
    request: Request, name: str, index: Callable[[Values], Values], error_bars: bool
) -> Explanation:
    """An index of the full game, with what no dividend reaches as remainders."""
    values, rest = _dividends(request, None, error_bars)
    shared = index(values)
    note = "Shapley-like values divide interactions by a convention (equal shares)"
    if rest:
        note += "; remainders of no finite order are not divided but stand at their sites"
    return _explanation(request, name, shared, rest, note + ".")


def _of_game(request: Request, error_bars: bool) -> Explanation:
    values, rest = _dividends(request, request.order, error_bars)
    return _explanation(request, "dividend", values, rest, _convention(request, "."))


def _convention(request: Request, end: str) -> str:
    """What is convention, and of what was learned, what depends on the data."""
    potential = request.model.potential
    learned = potential is not None and bool(potential.learned_terms)
    return CONVENTION + "; what each of them is depends on the training data" * learned + end


def _in_situ(request: Request, error_bars: bool) -> Explanation:
    """Effect of every cluster in the presence of all others."""
    order = 2 if request.order is None else request.order
    potential = request.model.potential
    if potential is not None and request.fragments is None:
        table = request.model.table(request.atoms)
        if not table.remainder.any():
            return _in_situ_of_table(request, table, order, error_bars)
    if request.atoms.pbc.any() and request.fragments is None:
        raise MethodError(
            "in situ values of a periodic structure need a potential whose table is complete; "
            "pass fragments, or raise the order of the decomposition"
        )
    game = game_of(request)
    everyone = tuple(range(len(game.players)))
    _check_parts(len(everyone), order, "in situ values")
    parts = [p for p in game.up_to(order) if len(p) < len(everyone)]
    without = game.of(tuple(sorted(set(everyone) - set(p))) for p in parts)
    lacking = {p: without[tuple(sorted(set(everyone) - set(p)))] for p in parts}
    lacking[everyone] = np.zeros_like(game.whole)
    values: Values = {}
    for cluster in game.up_to(order):
        effect = game.whole.copy()
        for size in range(1, len(cluster) + 1):
            for away in combinations(cluster, size):
                effect = effect + (-1) ** size * lacking[away]
        values[cluster] = effect
    return _explanation(request, "in situ", values, {}, IN_SITU, complete=False)


IN_SITU = (
    "The effect of a cluster with everything else present is a fact of the model; such effects "
    "overlap and do not sum to the whole."
)


def _in_situ_of_table(
    request: Request, table: Decomposition, order: int, error_bars: bool
) -> Explanation:
    rows = _rows(request, table, error_bars)
    numbers: dict[tuple, int] = {}
    values: Values = {}
    for key, value in zip(table.clusters.identities(), rows, strict=True):
        places = list(zip(key[2], key[3], strict=True))
        for size in range(1, min(order, len(places)) + 1):
            for inside in combinations(places, size):
                cluster = _home(inside)
                at = (numbers.setdefault(cluster, len(numbers)),)
                values[at] = values[at] + value if at in values else value
    keys = [("in situ", len(c), *map(tuple, zip(*c, strict=True))) for c in numbers]
    flat = np.array(list(values.values()))
    effects, samples = _parted(request, flat)
    return Explanation(
        atoms=request.atoms,
        target=request.target,
        clusters=Clusters.of_identities(keys),
        values=effects,
        samples=samples,
        predicted=predicted(request),
        context="in_situ",
        gauge=request.gauge.name,
        statement=IN_SITU,
        complete=False,
        provenance=request.model.provenance,
    )


def _home(places: Sequence[tuple]) -> tuple:
    """The cluster moved by whole cells so that its first member lies in the home cell."""
    places = sorted((a, tuple(s)) for a, s in places)
    origin = places[0][1]
    return tuple((a, tuple(x - o for x, o in zip(s, origin, strict=True))) for a, s in places)


def _rows(
    request: Request, table: Decomposition, error_bars: bool
) -> Float[np.ndarray, "rows components_and_samples"]:
    """What each row adds, and behind it the samples of every component: all of it is linear."""
    functional = request.target.functional(request.atoms)
    rows = functional.of_rows(table)
    if not error_bars:
        return rows
    samples = functional.samples_of_rows(table, request.model.potential, request.progress)
    samples = widened(request, samples, table.samples)
    return np.concatenate([rows, samples.reshape(len(rows), math.prod(samples.shape[1:]))], axis=1)


def _parted(request: Request, flat: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Values and samples as an explanation holds them."""
    functional = request.target.functional(request.atoms)
    count = len(functional.energy)
    if not flat.size:
        return functional.shaped(np.zeros((0, count))), None
    values, samples = functional.shaped(flat[:, :count]), flat[:, count:]
    if not samples.size:
        return values, None
    samples = samples.reshape(len(flat), count, -1)
    return values, samples if functional.vector else samples[:, 0]


def _dividends(request: Request, order: int | None, error_bars: bool) -> tuple[Values, Values]:
    """Dividends of the players, and remainders by site."""
    if isinstance(request.gauge, GroupsGauge):
        return dividends_of_groups(request, request.gauge, error_bars)
    potential = request.model.potential
    if potential is not None and not _parts_are_cheaper(request, order):
        forces = bool(request.target.functional(request.atoms).forces.any())
        table = request.model.table(request.atoms, forces=forces)
        values, rest = _by_players(table, request, error_bars)
        players = len(request.fragments or request.atoms)
        if not rest or _parts(players, order) > (FEW_PARTS if order is None else MOST_PARTS):
            if order is not None and request.fragments is not None and order < players:
                return _cut(values, rest, order, tuple(range(players)))
            return values, rest
    game = game_of(request)
    count = len(game.players)
    order = count if order is None else min(order, count)
    _check_parts(count, order, "dividends")
    everyone, coalitions = tuple(range(count)), game.up_to(order)
    ask = game.sampled if error_bars else game.of
    worth = ask(coalitions if order == count else [*coalitions, everyone])
    values = indices.dividends({players: worth[players] for players in coalitions})
    if order == count:
        return widened_values(request, values), {}
    rest = worth[everyone] - sum(values.values(), np.zeros(1))
    *wide, rest = widened_values(request, {**values, ("rest",): rest}).values()
    return dict(zip(values, wide, strict=True)), {everyone: rest}


def _parts_are_cheaper(request: Request, order: int | None) -> bool:
    """Whether parts have fewer sites than the table subsets; of levels of theory they always do."""
    potential = request.model.potential
    if request.fragments is None or potential is None:
        return False
    if baselines(potential):
        return True
    count, atoms = len(request.fragments), sum(map(len, request.fragments))
    if _parts(count, order) > (FEW_PARTS if order is None else MOST_PARTS):
        return False
    order = count if order is None else min(order, count)
    # every fragment is in as many parts of k as the others fill the rest of
    sites = atoms * (1 + sum(math.comb(count - 1, k - 1) for k in range(1, order + 1)))
    full = potential.body_order or max(
        (t.body_order for t in potential.local_terms.values()), default=len(request.atoms)
    )
    return sites < subsets_of_neighbours(potential, request.atoms, [full])[0]


def _by_players(table: Decomposition, request: Request, error_bars: bool) -> tuple[Values, Values]:
    number = np.arange(len(request.atoms))
    for index, members in enumerate(request.fragments or ()):
        number[list(members)] = index
    values: Values = {}
    rest: Values = {}
    owners = number[table.member_atoms].tolist()
    first, remainder = table.first.tolist(), table.remainder.tolist()
    for row, value in enumerate(_rows(request, table, error_bars)):
        inside = owners[first[row] : first[row + 1]]
        players: Players = tuple(sorted(set(inside[:1] if remainder[row] else inside)))
        into = rest if remainder[row] else values
        into[players] = into[players] + value if players in into else value
    return values, rest


def _cut(values: Values, rest: Values, order: int, everyone: Players) -> tuple[Values, Values]:
    """Dividends of more than `order` players as one remainder of all players."""
    kept = {players: value for players, value in values.items() if len(players) <= order}
    larger = [value for players, value in values.items() if len(players) > order]
    return kept, {**rest, everyone: sum(larger, 0.0 * next(iter(values.values())))}


def _explanation(
    request: Request, name: str, values: Values, rest: Values, note: str, complete: bool = True
) -> Explanation:
    players = request.fragments or tuple((i,) for i in range(len(request.atoms)))
    members = [sorted(a for p in c for a in players[p]) for c in (*values, *rest)]
    flat = np.array([*values.values(), *rest.values()])
    flat_values, samples = _parted(request, flat)
    what = "molecules" if request.gauge.name == "molecules" else "players"
    larger = f"sets of more than {request.order} {what}"
    names = [*(name for _ in values), *(larger if len(c) > 1 else name for c in rest)]
    return Explanation(
        atoms=request.atoms,
        target=request.target,
        clusters=Clusters.named(members, names, [*(len(c) for c in values), *(0 for _ in rest)]),
        values=flat_values,
        samples=samples,
        predicted=predicted(request),
        context=request.context,
        statement=note,
        complete=complete,
        gauge=request.gauge.name,
        fragments=request.fragments,
        provenance=request.model.provenance,
    )


def _parts(players: int, order: int | None) -> int:
    """Number of sets of up to `order` players, of all sets if None."""
    order = players if order is None else min(order, players)
    return sum(math.comb(players, k) for k in range(1, order + 1))


def _check_parts(players: int, order: int, what: str) -> None:
    needed = _parts(players, order)
    if needed > MOST_PARTS:
        raise MethodError(
            f"{what} of {players} players up to order {order} need {needed:.3g} evaluations, more "
            f"than {MOST_PARTS}; lower the order, join atoms to fragments, or use a method that "
            "samples"
        )


def _interaction_order(request: Request) -> int:
    order = 2 if request.order is None else request.order
    if not 1 <= order <= 6:
        raise MethodError(f"interactions are between 1 to 6 players, not {order}")
    return order


def _conservation(table: Decomposition) -> tuple[float, float]:
    """Largest net force (eV/A) and net torque (eV) of a row."""
    owner = table.owner
    members = table.structure.positions[table.member_atoms]
    members = members + table.member_shifts @ np.asarray(table.structure.cell)
    net, torque = np.zeros((2, len(table), 3))
    np.add.at(net, owner, table.member_forces)
    np.add.at(torque, owner, np.cross(members, table.member_forces))
    return float(np.abs(net).max(initial=0.0)), float(np.abs(torque).max(initial=0.0))
