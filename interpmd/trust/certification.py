"""Checks of a potential that hold for all its explanations, made once and stored with it."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from ase import Atoms
from scipy.stats import spearmanr
from tqdm.auto import tqdm

from interpmd import arguments
from interpmd.attribution.certificate import TOLERANCE, Certificate, Check
from interpmd.attribution.methods.dispatch import explain
from interpmd.decomposition import Decomposition
from interpmd.decomposition.assemble import decompose
from interpmd.potentials.analytic import AnalyticTerm
from interpmd.potentials.base import TERMS
from interpmd.potentials.potential import Potential
from interpmd.potentials.watch import unwatched
from interpmd.structures.files import as_frames
from interpmd.trust.benchmark import cluster

#: Fewer rows than this have no rank correlation to speak of.
FEWEST_ROWS = 20

STATEMENT = (
    "Axioms hold for every structure by construction and were checked on those given. How a total "
    "splits among rows is a convention (pure rows) and depends on the training data."
)


def certify(
    potential: Potential,
    structures: Atoms | Sequence[Atoms],
    truths: Iterable[Check] = (),
    seed: int = 0,
    progress: bool = True,
) -> Certificate:
    """Check a potential's explanations on some structures.

    Axioms (eV or eV/Å, at most 1e-8): completeness of energy and forces, net force and torque of
    every row, the same rows after translation, rotation and permutation, a distant atom gets its
    own energy and changes nothing (null player), two distant copies have twice the rows
    (extensivity), rows continuous where a neighbour crosses the cutoff. Analytic truth: rows of
    the analytic terms against their formulas. Sanity: rank correlation of the rows with those of
    the same potential with shuffled weights (Adebayo et al., NeurIPS 2018, arXiv:1810.03292).
    Identifiability: posterior standard deviation of the rows.

    Args:
        potential: what to certify; to store the result, `potential.card.certificate =
            certificate.to_json()` and save.
        structures: that it knows, or files of them; a few.
        truths: further checks, for instance of learned and quantum truth.
        seed: of rotations and shuffles.
        progress: whether to show a progress bar.

    Raises:
        StructureError, UnknownElementError: a structure cannot be evaluated.
    """
    arguments.seeds(seed=seed)
    frames = as_frames(structures)
    rng = np.random.default_rng(seed)
    worst: dict[str, float] = {}
    # axioms of a periodic structure and of a molecule; then sanity and error bars of each frame
    count = sum((6 if atoms.pbc.any() else 8) + 2 for atoms in frames)
    with tqdm(total=count, desc="certify", unit="check", disable=not progress) as bar:
        for atoms in frames:
            for name, value in _axioms(potential, atoms, rng):
                worst[name] = max(worst.get(name, 0.0), value)
                bar.update()
        sanity = _sanity(potential, frames, rng)
        bar.update(len(frames))
        identifiability = _identifiability(potential, frames)
        bar.update(len(frames))
    checks = [Check("axioms", name, value, TOLERANCE) for name, value in worst.items()]
    checks.append(
        Check("analytic truth", "rows of analytic terms", analytic_error(seed), 1e-10, "eV")
    )
    checks += [*sanity, *identifiability]
    return Certificate((*checks, *truths), STATEMENT)


def analytic_error(seed: int = 0) -> float:
    """Largest difference in eV between the rows of analytic terms and their own formulas, on a
    random cluster and a periodic box."""
    worst = 0.0
    for term in (cls.example() for cls in TERMS.values() if issubclass(cls, AnalyticTerm)):
        potential = Potential([term])
        for atoms in (cluster(8, seed, False), cluster(8, seed, True)):
            table = decompose(potential, atoms, order=term.body_order)
            rows = {(row.atoms, row.shifts): 0.0 for row in table if row.order > 1}
            for row in table:
                if row.order > 1:
                    rows[row.atoms, row.shifts] += row.energy_eV
            known = term.known_rows(atoms)
            for key in {*rows, *known}:
                worst = max(worst, abs(rows.get(key, 0.0) - known.get(key, 0.0)))
    return worst


def _axioms(
    potential: Potential, atoms: Atoms, rng: np.random.Generator
) -> Iterator[tuple[str, float]]:
    energy = explain(potential, atoms, gauge="atoms")
    table = decompose(potential, atoms, order=3)
    yield "completeness of the energy", energy.residual
    double = copy.deepcopy(potential).double()
    yield (
        "completeness of the forces",
        float(np.abs(table.forces - double.predict_unwatched(atoms).forces.numpy()).max()),
    )
    yield "momentum", energy.checks["momentum"]
    yield "torque", energy.checks["torque"]
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    order = rng.permutation(len(atoms))
    moved = atoms[order]
    moved.positions = moved.positions @ turn.T + rng.normal(size=3)
    moved.cell = np.asarray(moved.cell) @ turn.T
    place = np.argsort(order)
    here, there = _sums(table, place), _sums(decompose(potential, moved, order=3), None)
    yield "symmetry", _difference(here, there)
    if not atoms.pbc.any():
        yield "null player", _null_player(potential, atoms, table)
        apart = atoms.copy()
        apart.positions += [0.0, 0.0, 1000.0]
        both = decompose(potential, atoms + apart, order=3)
        yield "extensivity", abs(both.energy - 2 * table.energy)
    yield "continuity at the cutoff", _jump(potential, atoms)


def _null_player(potential: Potential, atoms: Atoms, table: Decomposition) -> float:
    far = atoms + Atoms(atoms.symbols[:1], atoms.positions[:1] + 1000.0)
    with unwatched():
        values = explain(potential, far, method="shapley")[(len(atoms),)]
    alone = potential.predict_unwatched(atoms[:1])
    return abs(float(values) - float(alone.energy[0]))


def _jump(potential: Potential, atoms: Atoms) -> float:
    """Change of the pair rows of two atoms across each cutoff, over 1e-6 Å."""
    worst = 0.0
    for term in potential.local_terms.values():
        if term.cutoff < 0.3:
            continue
        values = []
        for distance in (term.cutoff - 1e-6, term.cutoff + 1e-6):
            pair = Atoms([*atoms.symbols[:2], *atoms.symbols[:1]][:2])
            pair.positions[1, 0] = distance
            rows = decompose(Potential([copy.deepcopy(term).double()]), pair, order=2)
            values.append(rows.energies[rows.order == 2].sum())
        worst = max(worst, abs(values[1] - values[0]))
    return worst


def _sanity(potential: Potential, frames: list[Atoms], rng: np.random.Generator) -> list[Check]:
    """How like the rows are to those of the same potential with its weights shuffled."""
    shuffled = copy.deepcopy(potential)
    learned = list(shuffled.learned_terms.values())
    if not learned:
        return []
    for term in learned:
        order = torch.as_tensor(rng.permutation(term.readout.shape[1]))
        sign = torch.as_tensor(rng.choice([-1.0, 1.0], term.readout.shape[1]))
        term.readout.copy_(term.readout[:, order] * sign.to(term.readout))
    pairs: list[tuple[float, float]] = []
    for atoms in frames:
        here, there = (_sums(decompose(p, atoms, order=3), None) for p in (potential, shuffled))
        pairs += [(here[k], there[k]) for k in here if k in there and k[0] > 1]
    if len(pairs) < FEWEST_ROWS:
        return []
    correlation = abs(float(spearmanr(*np.transpose(pairs))[0]))
    words = "rank correlation of the rows with those of shuffled weights"
    return [Check("sanity", "dependence on weights", correlation, 0.5, "", words)]


def _identifiability(potential: Potential, frames: list[Atoms]) -> list[Check]:
    """Posterior standard deviations: of the whole, and of rows of each order."""
    tables = [decompose(potential, atoms, order=3) for atoms in frames]
    if not any(t.samples.size for t in tables):
        return []
    checks = [
        Check(
            "identifiability",
            "energy",
            float(np.mean([t.energy_std for t in tables])),
            None,
            "eV",
            "mean posterior standard deviation of the total",
        )
    ]
    for order, name in ((2, "pairs"), (3, "triplets")):
        spread = [t.energy_stds[t.order == order] for t in tables]
        spread = np.concatenate(spread)
        if len(spread):
            words = "median posterior standard deviation of a row; the sum is far better known"
            checks.append(
                Check("identifiability", name, float(np.median(spread)), None, "eV", words)
            )
    return checks


def _sums(table: Decomposition, renumbered: np.ndarray | None) -> dict[tuple, float]:
    """Energy by order and atoms (images together), terms added up."""
    sums: dict[tuple, float] = {}
    clusters = table.clusters.sited()
    for order, members, value in zip(
        table.order.tolist(), clusters.tuples(), table.energies.tolist(), strict=True
    ):
        if renumbered is not None:
            members = tuple(int(renumbered[a]) for a in members)
        key = (order, tuple(sorted(members)))
        sums[key] = sums.get(key, 0.0) + value
    return sums


def _difference(first: dict[tuple, float], second: dict[tuple, float]) -> float:
    return max(abs(first.get(k, 0.0) - second.get(k, 0.0)) for k in {*first, *second})
