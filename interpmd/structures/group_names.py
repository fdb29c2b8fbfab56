"""Names of chemical groups, in words of a first course: "CH3", "C=O", "NH", "OH", "phenyl"."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import networkx as nx
from ase.data import chemical_symbols
from ase.symbols import Symbols

#: Rings by their heavy atoms, number of rings and whether all carbons have three neighbours (True)
#: or four (False): the group with one bond to the rest, and the molecule.
RINGS = {
    ("C3", 1, False): ("cyclopropyl", "cyclopropane"),
    ("C4", 1, False): ("cyclobutyl", "cyclobutane"),
    ("C5", 1, False): ("cyclopentyl", "cyclopentane"),
    ("C6", 1, False): ("cyclohexyl", "cyclohexane"),
    ("C7", 1, False): ("cycloheptyl", "cycloheptane"),
    ("C4N", 1, False): ("pyrrolidinyl", "pyrrolidine"),
    ("C5N", 1, False): ("piperidinyl", "piperidine"),
    ("C6", 1, True): ("phenyl", "benzene"),
    ("C5N", 1, True): ("pyridyl", "pyridine"),
    ("C4N", 1, True): ("pyrrolyl", "pyrrole"),
    ("C4O", 1, True): ("furyl", "furan"),
    ("C4S", 1, True): ("thienyl", "thiophene"),
    ("C8N", 2, True): ("indolyl", "indole"),
    ("C10", 2, True): ("naphthyl", "naphthalene"),
}

#: Groups without a ring by their heavy atoms, hydrogens on carbon and on other atoms.
BRANCHED = {
    ("CO2", 0, 0): "COO",
    ("CO2", 0, 1): "COOH",
    ("CO2", 1, 0): "OCHO",
    ("NO2", 0, 0): "NO2",
    ("NO3", 0, 0): "ONO2",
    ("N3", 0, 0): "N3",
    ("CNO", 0, 0): "CON",
    ("CNO", 0, 1): "CONH",
    ("CNO", 0, 2): "CONH2",
    ("CN3", 0, 5): "guanidinium",
    ("CN3", 0, 4): "guanidinium",
    ("CN2", 0, 4): "amidinium",
    ("O2S", 0, 0): "SO2",
    ("O3S", 0, 0): "SO3",
    ("O3S", 0, 1): "SO3H",
}


def name_of(
    members: Sequence[int],
    numbers: Sequence[int],
    orders: dict[tuple[int, int], float],
    charge: int,
    cuts: int,
) -> str:
    """What a group is called.

    Args:
        members: its atoms.
        numbers: atomic numbers of all atoms of the structure.
        orders: bond orders by pair (i, j) with i < j.
        charge: of the group in e.
        cuts: number of its bonds to the rest of the molecule.
    """
    inside = set(members)
    graph = nx.Graph([pair for pair in orders if inside.issuperset(pair)])
    graph.add_nodes_from(members)
    hydrogens = {
        a: sum(numbers[n] == 1 for n in graph[a]) for a in sorted(inside) if numbers[a] != 1
    }
    bare = graph.subgraph(hydrogens)
    if any(numbers[a] == 1 and graph.degree(a) > 1 for ring in nx.cycle_basis(graph) for a in ring):
        return "chelate ring"
    if bare.number_of_edges() >= bare.number_of_nodes() > 0:
        name = _ring(bare, hydrogens, numbers, orders, charge, cuts)
    elif len(hydrogens) == 1:
        [(atom, count)] = hydrogens.items()
        name = _one(numbers[atom], count, whole=cuts == 0)
    else:
        name = _chain(bare, hydrogens, numbers, orders, cuts)
    known = name or _formula(numbers, members)
    return known if known in {"guanidinium", "amidinium"} else known + sign(charge)


def sign(charge: int) -> str:
    """A charge as chemists write it: "+", "-", "2+"."""
    size = "" if abs(charge) == 1 else str(abs(charge))
    return size + ("+" if charge > 0 else "-") if charge else ""


def numbered(names: Sequence[str], groups: Sequence[Sequence[int]]) -> tuple[str, ...]:
    """Names that occur twice with their first atom, as "CH3(4)"."""
    repeated = {name for name, count in Counter(names).items() if count > 1}
    return tuple(
        f"{name}({members[0]})" if name in repeated else name
        for name, members in zip(names, groups, strict=True)
    )


def _ring(bare, hydrogens, numbers, orders, charge, cuts) -> str | None:
    """Rings that have a name; others by their formula."""
    rings = bare.number_of_edges() - bare.number_of_nodes() + 1
    carbons = [a for a in bare if numbers[a] == 6]
    within = sum(order == 1.5 for pair, order in orders.items() if set(pair) <= set(bare))
    flat = within > 0 or all(bare.degree(a) + hydrogens[a] < 4 for a in carbons)
    if nx.is_biconnected(bare) and charge == 0:
        known = RINGS.get((_formula(numbers, list(bare)), rings, flat))
        if known is not None and (flat or _saturated(bare, orders)):
            return known[0] if cuts == 1 else known[1] + (" ring" if cuts else "")
    members = [*bare, *(-1 for _ in range(sum(hydrogens.values())))]
    formula = _formula([*numbers, 1], members)
    return formula + (" ring" if cuts else "")


def _saturated(bare, orders) -> bool:
    return all(orders[min(pair), max(pair)] == 1 for pair in bare.edges)


def _one(number: int, hydrogens: int, whole: bool) -> str:
    """A heavy atom and its hydrogens, as "CH3"; whole molecules of O, S and halogens "H2O"."""
    symbol = chemical_symbols[number]
    count = ("H" + (str(hydrogens) if hydrogens > 1 else "")) if hydrogens else ""
    acid = number in {9, 17, 35, 53} or (number in {8, 16, 34} and hydrogens > 1)
    return count + symbol if whole and acid else symbol + count


def _chain(bare, hydrogens, numbers, orders, cuts) -> str | None:
    """Several heavy atoms without a ring: a known name, or atom by atom, as "CH=CH"."""
    carbon = sum(count for a, count in hydrogens.items() if numbers[a] == 6)
    other = sum(hydrogens.values()) - carbon
    if cuts and not _saturated(bare, orders):
        known = BRANCHED.get((_formula(numbers, list(bare)), carbon, other))
        if known is not None:
            return known
    ends = [a for a in bare if bare.degree(a) == 1]
    if cuts == 0 or len(ends) != 2 or len(bare) > 4:
        return None
    first, last = sorted(ends, key=lambda a: (numbers[a] != 6, a))
    path = nx.shortest_path(bare, first, last)
    text = _one(numbers[first], hydrogens[first], whole=False)
    for before, after in zip(path, path[1:], strict=False):
        order = orders[min(before, after), max(before, after)]
        text += {2.0: "=", 3.0: "≡"}.get(order, "")
        text += _one(numbers[after], hydrogens[after], whole=False)
    return {"CH=O": "CHO"}.get(text, text)


def _formula(numbers: Sequence[int], members: Sequence[int]) -> str:
    return Symbols([numbers[a] for a in members]).get_chemical_formula()
