"""Exact explanations: their errors, and their speed beside shap's KernelExplainer."""

from __future__ import annotations

import time

import numpy as np
import shap
import torch
from ase import Atoms
from ase.build import molecule
from results import record

import interpmd as im
from interpmd.attribution.gauges.games import Game
from interpmd.attribution.models import as_model
from interpmd.decomposition.assemble import decompose
from interpmd.potentials import MW, ClusterExpansion, Potential, StillingerWeber
from interpmd.trust.benchmark import benchmark_explainers, cluster
from interpmd.trust.truth import row_errors
from interpmd.trust.truth.frames import boxes, dimers, trimers

COMMAND = "python benchmarks/explainers.py"


def seconds(function) -> float:
    """Best of ten."""
    times = []
    for _ in range(10):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return min(times)


def random_expansion(elements: list[str], channels: tuple[int, ...], cutoff: float) -> Potential:
    term = ClusterExpansion(elements, cutoff=cutoff, lmax=3, channels=channels, basis=8)
    generator = torch.Generator().manual_seed(0)
    term.readout.copy_(torch.randn(term.readout.shape, generator=generator) * 1e-2)
    return Potential([term])


def against_kernel_explainer(potential: Potential, atoms: Atoms) -> str:
    """Time and error of shap's KernelExplainer, given all coalitions, against ours."""
    count = len(atoms)
    exact = im.explain(potential, atoms, method="shapley").by("atom").sort_index().to_numpy()
    ours = seconds(lambda: im.explain(potential, atoms, method="shapley"))
    game = Game(as_model(potential), atoms, im.Energy())
    started = time.perf_counter()
    explainer = shap.KernelExplainer(lambda x: game(x > 0.5)[:, 0], np.zeros((1, count)))
    found = explainer.shap_values(np.ones((1, count)), nsamples=2**count, silent=True, l1_reg=0)[0]
    theirs = time.perf_counter() - started
    error = np.abs(found - exact).max()
    return f"{theirs / ours:.0f} times faster ({ours:.3f} s); its error {error:.1e} eV"


def fitted_to_mw() -> Potential:
    """A neural expansion to triplets, fitted to boxes of 125 beads and to dimers and trimers."""
    term = MW(elements=["O"])
    train = (
        boxes(term, "O", 125, 8, seed=1) + dimers(term, "O", 150, 2) + trimers(term, "O", 500, 3)
    )
    spec = im.Spec(cutoff=term.cutoff, channels=(32, 160), lmax=(0, 4), basis=16, functions=16)
    settings = {"isolated_energies": {"O": 0.0}, "energy_weight": 20.0, "progress": False}
    return im.fit(train, spec=spec, **settings).potential


def main() -> None:
    torch.set_num_threads(1)
    table = benchmark_explainers()
    columns = ["atom_rmse_eV", "pair_rmse_eV", "triplet_rmse_eV"]
    worst = table.loc["mobius"][columns].max().max()
    figures = {
        "analytic truth: largest error of pairs, triplets and atoms": f"{worst:.1e} eV",
    }
    silicon = cluster(15, 0, periodic=False)
    figures["Shapley values of 15 atoms, Stillinger-Weber, vs shap KernelExplainer"] = (
        against_kernel_explainer(Potential([StillingerWeber.example()]), silicon)
    )
    isopropanol = molecule("C3H9C")[:12] + molecule("H2O")
    isopropanol.positions[12:] += [4.0, 0, 0]
    triplets = random_expansion(["H", "C", "O"], (64, 64), 5.0)
    figures["Shapley values of 15 atoms, neural triplets, vs shap KernelExplainer"] = (
        against_kernel_explainer(triplets, isopropanol)
    )
    torch.set_num_threads(2)
    truth = MW(elements=["O"])
    [box] = boxes(truth, "O", 125, 1, seed=99)
    for name, potential in {
        "mW": Potential([truth]),
        "expansion fitted to mW": fitted_to_mw(),
    }.items():
        taken = seconds(lambda potential=potential: decompose(potential, box, order=3))
        rows, error = len(decompose(potential, box, order=3)), row_errors(potential, truth, [box])
        figures[f"125 beads, periodic: all pairs and triplets with forces, {name}"] = (
            f"{taken:.2g} s, {rows} rows; RMSE of pairs {1e3 * error.pair_rmse:.1g} meV, "
            f"of triplets {1e3 * error.triplet_rmse:.1g} meV"
        )
    record(figures, COMMAND)


if __name__ == "__main__":
    main()
