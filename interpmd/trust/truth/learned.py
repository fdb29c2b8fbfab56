"""Learned truth: are the rows of a fitted potential those of the potential that made its data?

A model sees only total energies and forces of a Stillinger-Weber potential, whose pair and triplet
energies are known in closed form and which has no higher orders. Its table is then compared with
them row by row, on clusters or periodic boxes that it has not seen.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from ase import Atoms
from jaxtyping import Float
from tqdm.auto import tqdm

from interpmd.attribution.certificate import Check
from interpmd.decomposition import decompose
from interpmd.errors import TruthError
from interpmd.fitting.closed_form import fit
from interpmd.fitting.report import evaluate
from interpmd.fitting.spec import Spec
from interpmd.keywords import renamed
from interpmd.potentials.analytic import MW, StillingerWeber
from interpmd.potentials.analytic.known import AnalyticTerm, Cluster
from interpmd.potentials.potential import Potential
from interpmd.trust.truth import frames as structures
from interpmd.trust.truth.message_passing import train

#: Potentials whose rows are known, and the element that stands for their atoms.
TRUTHS = {"stillinger_weber": (StillingerWeber, "Si"), "mw": (MW, "O")}

#: What is fitted.
MODELS = ("expansion", "message_passing")

#: Smallest and largest number of atoms of a cluster; number of atoms of a periodic box.
SIZES, BOX = (4, 12), 64

#: Number of training and test structures: clusters, boxes.
CLUSTERS, BOXES = (400, 60), (24, 4)

#: Dimers and trimers in the training data, where they are asked for.
DIMERS, TRIMERS = 150, 500

#: Seed of the clusters that all models are compared on.
TEST_SEED = 90_000

#: The expansion that is fitted, beside its cutoff: to body order 5 and degree 4, of which the
#: truth needs 3 and 2, so that the higher orders have to come out as zero.
SPEC = {
    "lmax": (0, 4, 4, 3),
    "channels": (32, 160, 48, 24),
    "basis": 16,
    "functions": 16,
    "gain": 1.0,
    "stretch": 0.0,
    "decay": 0.0,
    "parsimony": 10.0,
}

#: The network that is trained.
NETWORK = {"steps": 6000, "channels": 32, "layers": 2}


@dataclass(frozen=True)
class RowErrors:
    """Rows of a model beside the known ones.

    Errors are summed over all clusters of atoms that either has a row for, and divided by the
    number of true rows, so that rows which should be zero count in full.

    Attributes:
        pair_rmse: eV. triplet_rmse: eV.
        triplet_std: standard deviation of the true triplet rows in eV.
        leak: sum of the absolute energies of all rows of order 4 and more, over the sum of the
            absolute energies of the structures.
        net_leak: root mean square of the sum of those rows of a structure, over that of the
            energies of the structures.
    """

    pair_rmse: float
    triplet_rmse: float
    triplet_std: float
    leak: float
    net_leak: float


def learned_truth(
    potential: str = "stillinger_weber",
    dimers: bool = True,
    seeds: Sequence[int] = (0, 1, 2),
    model: str = "expansion",
    *,
    periodic: bool = False,
    frames: int | None = None,
    test: int | None = None,
    options: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Fit a model to an analytic potential and compare its rows with the known ones.

    Every seed draws training clusters of 4 to 12 atoms, or periodic boxes of 64 (see
    `interpmd.trust.truth.frames`), and the random parts of the model anew; the test
    structures are the same for all.

    Args:
        potential: "stillinger_weber" (silicon) or "mw" (beads of water).
        dimers: whether the training data hold dimers and trimers beside the larger structures.
        seeds: of the repetitions.
        model: "expansion", the neural cluster expansion, or "message_passing", an ordinary
            network whose rows are its many-body expansion.
        periodic: boxes instead of clusters.
        frames: training structures; 400 clusters or 24 boxes if None.
        test: structures to compare on; 60 clusters or 4 boxes if None.
        options: what differs from `SPEC` or `NETWORK`.
        progress: whether to show a progress bar.

    Returns:
        One line per seed: test errors of energies (meV) and forces (meV/Å), pair_rmse_meV,
        triplet_rmse_meV, the latter in percent of the standard deviation of the true triplet
        rows, leak_% and net_leak_% (see `RowErrors`), and the seconds that the fit took.

    Raises:
        TruthError: unknown potential or model, or a message-passing network in a periodic box
            (its rows are of no finite order, and the box has no few parts to evaluate).
    """
    if potential not in TRUTHS:
        raise TruthError(f"no truth is called {potential!r}; known: {', '.join(TRUTHS)}")
    if model not in MODELS:
        raise TruthError(f"no model is called {model!r}; known: {', '.join(MODELS)}")
    if periodic and model == "message_passing":
        raise TruthError("the rows of a message-passing network are known for clusters only")
    kind, symbol = TRUTHS[potential]
    term = kind(elements=[symbol])
    usual = BOXES if periodic else CLUSTERS
    frames, test = frames or usual[0], test or usual[1]

    def larger(count: int, seed: int) -> list[Atoms]:
        if periodic:
            return structures.boxes(term, symbol, BOX, count, seed)
        return structures.clusters(term, symbol, SIZES, count, seed)

    held_out = larger(test, TEST_SEED)
    lines = []
    for seed in tqdm(seeds, desc=f"learned truth, {potential}", unit="fit", disable=not progress):
        known = larger(frames, 3 * seed)
        if dimers:
            known += structures.dimers(term, symbol, DIMERS, 3 * seed + 1)
            known += structures.trimers(term, symbol, TRIMERS, 3 * seed + 2)
        started = time.perf_counter()
        fitted = _fitted(model, term, symbol, known, seed, dict(options or {}))
        seconds = time.perf_counter() - started
        total = evaluate(fitted, held_out).summary()
        rows = row_errors(fitted, term, held_out)
        lines.append(
            {
                "potential": potential,
                "model": model,
                "periodic": periodic,
                "dimers": dimers,
                "seed": seed,
                "energy_rmse_meV": total["energy_rmse_meV"],
                "force_rmse_meV/A": total["force_rmse_meV/A"],
                "pair_rmse_meV": 1e3 * rows.pair_rmse,
                "triplet_rmse_meV": 1e3 * rows.triplet_rmse,
                "triplet_rmse_%": 100 * rows.triplet_rmse / rows.triplet_std,
                "leak_%": 100 * rows.leak,
                "net_leak_%": 100 * rows.net_leak,
                "seconds": seconds,
            }
        )
    return pd.DataFrame(lines)


@renamed(found="table")
def learned_checks(table: pd.DataFrame) -> tuple[Check, ...]:
    """The errors of `learned_truth` for a certificate: the worst of its seeds.

    The limits are those within which rows may be read one by one: pairs to 5 meV, triplets to 3 %
    of their standard deviation, higher orders, which the truth does not have, to 0.5 % of the
    energy (in boxes their sum: each has so many clusters that the sum of absolute values says
    little).

    Args:
        table: by `learned_truth`, of one potential, model and kind of data.
    """
    about = table.iloc[0]
    data = f"{'with' if about.dimers else 'without'} dimers and trimers"
    seeds = f"worst of {len(table)} seeds" if len(table) > 1 else "one seed"
    words = f"fitted to totals and forces of {about.potential} ({data}), {seeds}"
    limits = {
        "pair_rmse_meV": ("pairs", 5.0, "meV"),
        "triplet_rmse_%": ("triplets", 3.0, "% of their std"),
        "net_leak_%" if about.periodic else "leak_%": ("higher orders", 0.5, "% of the energy"),
    }
    return tuple(
        Check("learned truth", name, float(table[column].max()), limit, unit, words)
        for column, (name, limit, unit) in limits.items()
    )


def row_errors(potential: Potential, truth: AnalyticTerm, frames: Iterable[Atoms]) -> RowErrors:
    """Compare the rows of a potential with known ones.

    Args:
        potential: decomposed to its full order; to the number of atoms where it has none, for
            which more than about 12 atoms are too many.
        truth: a term of body order 3 or less.
        frames: molecules or periodic structures.
    """
    squares, counts, triplets = {2: 0.0, 3: 0.0}, {2: 0, 3: 0}, []
    absolute, net, energies = [], [], []
    for atoms in frames:
        known = truth.known_rows(atoms)
        order = potential.body_order or len(atoms)
        table = decompose(potential, atoms, order=order, forces=False)
        rows: dict[Cluster, float] = {}
        for row in table:
            if row.order in squares:
                key = (row.atoms, row.shifts)
                rows[key] = rows.get(key, 0.0) + row.energy_eV
        for cluster in known.keys() | rows.keys():
            error = rows.get(cluster, 0.0) - known.get(cluster, 0.0)
            squares[len(cluster[0])] += error**2
        for members, _ in known:
            counts[len(members)] += 1
        triplets += [energy for (members, _), energy in known.items() if len(members) == 3]
        high: Float[np.ndarray, " rows"] = table.energies[table.order > 3]
        absolute.append(np.abs(high).sum())
        net.append(high.sum())
        energies.append(sum(known.values()))
    return RowErrors(
        pair_rmse=(squares[2] / max(counts[2], 1)) ** 0.5,
        triplet_rmse=(squares[3] / max(counts[3], 1)) ** 0.5,
        triplet_std=float(np.std(triplets)),
        leak=float(np.sum(absolute) / np.abs(energies).sum()),
        net_leak=float(np.linalg.norm(net) / np.linalg.norm(energies)),
    )


def _fitted(
    model: str,
    term: StillingerWeber,
    symbol: str,
    known: list[Atoms],
    seed: int,
    options: dict[str, Any],
) -> Potential:
    if model == "message_passing":
        return train(known, term.cutoff, seed=seed, progress=False, **NETWORK | options)
    report = fit(
        known,
        spec=Spec(cutoff=term.cutoff, **SPEC | options),
        isolated_energies={symbol: 0.0},
        energy_weight=20.0,
        seed=seed,
        progress=False,
    )
    return report.potential
