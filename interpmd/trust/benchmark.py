"""Every method of explanation on potentials whose interactions are known."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from inspect import signature

import numpy as np
import pandas as pd
from ase import Atoms
from tqdm.auto import tqdm

from interpmd import arguments
from interpmd.attribution.explanation import Explanation
from interpmd.attribution.methods.dispatch import explain
from interpmd.attribution.methods.registry import METHODS
from interpmd.attribution.targets import Energy
from interpmd.errors import MethodError, MissingPackageError
from interpmd.potentials.analytic import AnalyticTerm
from interpmd.potentials.base import TERMS
from interpmd.potentials.potential import Potential


def benchmark_explainers(
    methods: Iterable[str] | None = None,
    atoms: int = 8,
    seed: int = 0,
    periodic: bool = True,
    progress: bool = True,
) -> pd.DataFrame:
    """Errors and times of methods on Lennard-Jones, Morse, Stillinger-Weber, mW, Axilrod-Teller.

    Truth: the known row of every pair and triplet, and per atom the Shapley value, that is every
    row in equal parts to its atoms (exact, because rows are the dividends of the game).

    Args:
        methods: by name; all if None.
        atoms: in the random cluster.
        seed: of the structures and of methods that sample.
        periodic: whether to add a periodic box.
        progress: whether to show a progress bar.

    Returns:
        One line per method, potential and structure: completeness error (eV), RMSE against the
        truth per atom, pair and triplet (eV; NaN where a method has no such values), correlation
        per atom, time in seconds, and why a method was not run.
    """
    arguments.seeds(seed=seed)
    terms = [cls.example() for cls in TERMS.values() if issubclass(cls, AnalyticTerm)]
    structures = {"cluster": cluster(atoms, seed, periodic=False)}
    if periodic:
        structures["periodic"] = cluster(atoms, seed, periodic=True)
    chosen = list(METHODS if methods is None else methods)
    cases = [(m, t, s) for m in chosen for t in terms for s in structures]
    lines = []
    for name, term, shape in tqdm(cases, desc="explainers", unit="case", disable=not progress):
        lines.append(
            {"method": name, "potential": term.kind, "structure": shape}
            | _measure(name, term, structures[shape], seed)
        )
    return pd.DataFrame(lines).set_index(["method", "potential", "structure"]).sort_index()


def _measure(name: str, term: AnalyticTerm, atoms: Atoms, seed: int) -> dict[str, float | str]:
    takes = signature(METHODS[name].run).parameters
    options = {"seed": seed} if "seed" in takes else {}
    started = time.perf_counter()
    try:
        explanation = explain(Potential([term]), atoms, Energy(), method=name, order=3, **options)
    except (MethodError, MissingPackageError) as error:
        return {"not_run": str(error)}
    taken = time.perf_counter() - started
    truth = _truth(term, atoms)
    by_atom = explanation.by("atom").reindex(range(len(atoms)), fill_value=0.0).to_numpy()
    return {
        "completeness_eV": explanation.residual,
        "atom_rmse_eV": _rmse(by_atom, truth[1]),
        "pair_rmse_eV": _rows(explanation, truth, 2),
        "triplet_rmse_eV": _rows(explanation, truth, 3),
        "atom_correlation": _correlation(by_atom, truth[1]),
        "time_s": taken,
        "not_run": "",
    }


def _truth(term: AnalyticTerm, atoms: Atoms) -> dict:
    """Per atom, and per pair and triplet of atoms (images of the same atoms together)."""
    per_atom, rows = np.zeros(len(atoms)), {2: {}, 3: {}}
    for (members, _), energy in term.known_rows(atoms).items():
        for atom in members:
            per_atom[atom] += energy / len(members)
        key = tuple(sorted(members))
        rows[len(members)][key] = rows[len(members)].get(key, 0.0) + energy
    return {1: per_atom, **rows}


def _rows(explanation: Explanation, truth: dict, order: int) -> float:
    """Error of the pairs or triplets, if the method has any."""
    if not (explanation.orders == order).any():
        return np.nan
    by_members: dict[tuple[int, ...], float] = {}
    for size, members, value in zip(
        explanation.orders, explanation.clusters.tuples(), explanation.values, strict=True
    ):
        if size == order:
            key = tuple(sorted(members))
            by_members[key] = by_members.get(key, 0.0) + float(value)
    keys = sorted({*by_members, *truth[order]})
    return _rmse([by_members.get(k, 0.0) for k in keys], [truth[order].get(k, 0.0) for k in keys])


def _rmse(values: Sequence[float], expected: Sequence[float]) -> float:
    return float(np.sqrt(np.mean((np.asarray(values) - np.asarray(expected)) ** 2)))


def _correlation(values: np.ndarray, expected: np.ndarray) -> float:
    if min(np.ptp(values), np.ptp(expected)) == 0:
        return np.nan
    return float(np.corrcoef(values, expected)[0, 1])


def cluster(count: int, seed: int, periodic: bool, side: float = 3.9) -> Atoms:
    """Carbon atoms at random places at least 1.2 Å apart, which suits all analytic examples."""
    rng = np.random.default_rng(seed)
    points: list[np.ndarray] = []
    while len(points) < count:
        new = rng.random(3) * side
        images = [new - p - side * periodic * np.round((new - p) / side) for p in points]
        if not images or min(map(np.linalg.norm, images)) > 1.2:
            points.append(new)
    return Atoms("C" * count, points, cell=np.eye(3) * side, pbc=periodic)
