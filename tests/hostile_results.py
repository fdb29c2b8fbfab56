"""Results of paths, events, trajectories and learning, made of hostile text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
from ase import Atoms
from ase.build import molecule

import interpmd as im
from interpmd.attribution.corrections import Corrections
from interpmd.attribution.over_time.events.beside import Beside
from interpmd.demo import MALONALDEHYDE
from interpmd.fitting.active.learn import LearnProgress
from interpmd.fitting.report import FitReport
from interpmd.potentials import Morse, Potential

WATER = molecule("H2O")
PLACES = np.arange(5.0)


@cache
def model() -> Potential:
    """A potential for water that costs nothing."""
    return Potential(
        {"pairs": Morse(depth=4.0, width=2.0, distance=1.0, cutoff=4.0)}, elements=[1, 8]
    )


@cache
def relaxed() -> im.Relaxation:
    start = WATER.copy()
    start.rattle(0.05, seed=1)
    return im.relax(model(), start, progress=False)


@cache
def scanned() -> im.Path:
    frames = []
    for shift in np.linspace(-0.1, 0.3, 7):
        atoms = WATER.copy()
        atoms.positions[1, 1] += shift
        atoms.calc = model().calculator()
        atoms.get_potential_energy()
        frames.append(atoms)
    return im.Path(frames, np.linspace(-0.1, 0.3, 7), "shift", "Å", "scan", True)


@cache
def ledger() -> im.EventLedger:
    """Two jumps of the proton of malonaldehyde."""
    potential, transfer = im.load("malonaldehyde"), im.proton_transfer(8, donor=4, acceptor=0)
    tops = im.top_structures(potential, MALONALDEHYDE, transfer, n=2, settle=50.0)
    jumps = im.shoot(potential, tops, transfer, n=2, window=30.0, progress=False)
    return im.event_ledger(potential, jumps, before=20.0, after=20.0, progress=False)


def hostile_ledger(evil: str) -> im.EventLedger:
    data = ledger().data
    names = [f"{evil} {n}" for n in range(data.sizes["interaction"])]
    motions = [f"{evil} {n}" for n in range(data.sizes["motion"])]
    data = data.assign_coords(interaction=names, motion=motions).assign_attrs(
        model=evil, states=evil, gauge=evil
    )
    return replace(ledger(), data=data)


def events(evil: str) -> im.Events:
    coordinate = im.ReactionCoordinate(lambda atoms: 0.0, -1.0, 0.0, 1.0, evil, evil, (evil, evil))
    some = tuple(replace(e, origin=evil) for e in ledger().events)
    return im.Events(some, coordinate, pd.DataFrame({evil: [evil]}), {"made_by": evil})


def beside(evil: str) -> Beside:
    made = hostile_ledger(evil)
    return Beside(made, made, made, 2)


def corrections(evil: str) -> Corrections:
    both = im.explain(model(), WATER, gauge="atoms"), im.explain(model(), WATER, gauge="atoms")
    return Corrections(*both, evil, evil)


def path_explanation(evil: str) -> im.PathExplanation:
    made = im.explain_path(model(), scanned(), gauge="internal")
    names = [f"{evil} {n}" for n in range(made.dataset.sizes["interaction"])]
    return replace(made, dataset=made.dataset.assign_coords(interaction=names))


def strain(evil: str) -> im.ActivationStrain:
    rows = pd.DataFrame({evil: PLACES}, index=pd.Index(PLACES, name=evil))
    return im.ActivationStrain(rows, rows.add_suffix("2"), 2 * PLACES, evil, evil)


def reaction_force(evil: str) -> im.ReactionForce:
    rows = pd.DataFrame({f"W{k}": [0.1, 0.2] for k in range(1, 5)}, index=[evil, evil + "2"])
    bounds = pd.Series(PLACES, index=["reactant", "alpha", "top", "beta", "product"])
    return im.ReactionForce(rows, rows.sum(), bounds, PLACES, PLACES, PLACES, evil)


def gradient(evil: str) -> im.RelativeEnergyGradient:
    slopes = pd.DataFrame({evil: [0.4, 0.6]}, index=[evil, evil + "2"])
    change = pd.Series([1.0], index=[evil])
    return im.RelativeEnergyGradient(slopes, slopes, change, ((0, 4),), evil, "eV", evil)


def learned(evil: str, report: Callable[[str], FitReport]) -> im.LearnReport:
    history, decisions = _run(evil)
    return im.LearnReport(report(evil), history, decisions, [WATER], evil)


def learn_monitor(evil: str) -> im.LearnMonitor:
    monitor = im.LearnMonitor()
    monitor(LearnProgress(5, 10, *_run(evil), evil))
    return monitor


def _run(evil: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    errors = {"force_rmse_meV/A": [90.0, 50.0], "worst_force_meV/A": [190.0, 150.0]}
    history = pd.DataFrame({"labels": [5, 10], "how": "active", "fit": evil, **errors})
    decisions = pd.DataFrame(
        {
            "how": ["active"],
            "round": [1],
            "candidate": [3],
            "sampling": [evil],
            "gain": [0.1],
            "goal_std": [0.2],
            "misfit": [0.3],
            "error_before": [40.0],
        }
    )
    return history, decisions


def comparison(evil: str) -> im.ForceFieldComparison:
    minima = pd.DataFrame({evil: [0.0, 1.0], evil + "2": [0.5, 0.5]})
    errors = {evil + "2": np.ones(3)}
    return im.ForceFieldComparison(evil, evil, errors, np.ones(3), minima, minima)


def known_fragments(evil: str) -> im.KnownFragments:
    table = pd.DataFrame(
        {
            "smiles": [evil],
            "fragment": [evil],
            "order": [1],
            "heavy_atoms": [1],
            "known": [False],
        }
    )
    return im.KnownFragments(table, 1, [WATER], [[(0, (0,))]], [])


def radial(evil: str) -> im.RadialDistribution:
    curve = {evil: np.sin(PLACES)}
    return im.RadialDistribution(PLACES, curve, curve, curve)


def trajectory_of(potential: Potential, atoms: Atoms, evil: str) -> im.Trajectory:
    frames = im.simulate(potential, atoms, steps=2, interval=1, progress=False)
    return im.Trajectory(frames, np.arange(3.0), {"ensemble": evil})


#: An object of each class, made of hostile text.
RESULTS = {
    "ActivationStrain": strain,
    "Beside": beside,
    "Corrections": corrections,
    "EventLedger": hostile_ledger,
    "Events": events,
    "ForceFieldComparison": comparison,
    "FreeEnergy": lambda evil: im.FreeEnergy(
        PLACES, PLACES, PLACES, np.ones(5, dtype=int), evil, 300.0, 1.0
    ),
    "HydrogenBondsInTime": lambda evil: im.HydrogenBondsInTime(
        (evil,), np.ones((5, 1), dtype=bool), PLACES
    ),
    "KnownFragments": known_fragments,
    "LearnMonitor": learn_monitor,
    "NormalModes": lambda evil: im.normal_modes(model(), WATER, progress=False),
    "Path": lambda evil: replace(scanned(), quantity=evil, unit=evil),
    "PathExplanation": path_explanation,
    "PowerSpectrum": lambda evil: im.PowerSpectrum(
        PLACES, np.array([0.0, 1.0, 0.0, 0.5, 0.0]), PLACES, evil, 1.0
    ),
    "RadialDistribution": radial,
    "ReactionForce": reaction_force,
    "Relaxation": lambda evil: replace(relaxed(), settings={evil: evil}),
    "RelativeEnergyGradient": gradient,
}
