"""Numbers and words that make no sense, at every entry."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from ase.build import molecule

import interpmd as im
from hard_inputs.case import Case
from hard_inputs.labels import fit, materials
from interpmd.potentials import LennardJones

PAIRS = im.Potential([LennardJones(epsilon=0.01, sigma=2.0, cutoff=5.0)])
WATER = molecule("H2O")

FIT = {
    "a mistyped subset": ({"subset_weights": {"al": 2.0}}, "which no frame is"),
    "a negative weight": ({"subset_weights": {"all": -1.0}}, "0 or more"),
    "a weight that is NaN": ({"subset_weights": {"all": np.nan}}, "not nan"),
    "a negative energy weight": ({"energy_weight": -1.0}, "energy_weight"),
    "a virial weight that is NaN": ({"virial_weight": np.nan}, "virial_weight"),
    "a negative ridge": ({"ridge": -1e-6}, "ridge"),
    "validation above one": ({"validation": 1.5}, "validation"),
    "seed -1": ({"seed": -1}, "seed"),
    "no memory": ({"memory": 0}, "memory"),
    "refine -1": ({"refine": -1}, "refine"),
    "a mistyped setting of the spec": ({"spec": {"cutof": 4.0}}, "no option 'cutof'"),
    "a negative cutoff": ({"spec": {"cutoff": -1.0}}, "cutoff"),
    "outliers misspelled": ({"outliers": "leave-out"}, "outliers"),
}
RUN = {
    "negative friction": ({"friction": -0.1, "ensemble": "nvt"}, "friction"),
    "a time step that is NaN": ({"timestep": np.nan}, "timestep"),
    "an infinite temperature": ({"temperature": np.inf}, "temperature"),
    "temperature as a word": ({"temperature": "300"}, "temperature"),
    "seed -1": ({"seed": -1}, "seed"),
    "no steps": ({"steps": 0}, "steps"),
    "half a step": ({"steps": 2.5}, "steps"),
    "no interval": ({"interval": 0}, "interval"),
    "an unknown ensemble": ({"ensemble": "npt"}, "ensemble"),
    "an unknown precision": ({"precision": "half"}, "precision"),
}
DRAW = {
    "n = 0": ({"n": 0}, "n is a whole number"),
    "seed -1": ({"seed": -1}, "seed"),
    "a negative width": ({"stdev": -0.1}, "stdev"),
    "a mistyped option": ({"stddev": 0.1}, "no option 'stddev'"),
    "a negative temperature": ({"how": "md", "temperatures": (-300.0,)}, "temperatures"),
    "a negative friction": ({"how": "md", "friction": -1.0}, "friction"),
    "distances that descend": ({"how": "dimers", "distances": (8.0, 2.0)}, "distances"),
}


def massless():
    """Water with a hydrogen of no mass."""
    atoms = WATER.copy()
    atoms.set_masses([16.0, 0.0, 1.0])
    return atoms


def cases() -> Iterator[Case]:
    """All cases of numbers."""
    frames = materials()["argon"][:8]
    for name, (given, words) in FIT.items():
        yield Case(f"fit: {name}", partial(fit, frames, **given), words)
    for name, (given, words) in RUN.items():
        settings = {"steps": 2, "progress": False} | given
        yield Case(f"simulate: {name}", partial(im.simulate, PAIRS, WATER, **settings), words)
    for name, (given, words) in DRAW.items():
        settings = {"how": "rattle", "n": 2, "progress": False} | given
        yield Case(f"sample: {name}", partial(im.sample, WATER, **settings), words)
    mass = r"mass of atom 1 \(H\)"
    yield Case(
        "simulate: an atom of no mass",
        lambda: im.simulate(PAIRS, massless(), steps=2, progress=False),
        mass,
    )
    yield Case(
        "sample: an atom of no mass", lambda: im.sample(massless(), n=1, progress=False), mass
    )
    yield Case("live: an atom of no mass", lambda: im.LiveMD(PAIRS, massless()), mass)
    yield Case("label: no workers", lambda: im.label([WATER], workers=0), "workers")
    yield Case("label: multiplicity 0", lambda: im.label([WATER], multiplicity=0), "multiplicity")
    yield Case(
        "explain: seed -1",
        lambda: im.explain(PAIRS, WATER, method="shapley_sampling", seed=-1),
        "seed",
    )
    yield Case(
        "explain: no samples",
        lambda: im.explain(PAIRS, WATER, method="shapley_sampling", samples=0),
        "samples",
    )
    yield Case("certify: seed -1", lambda: im.certify(PAIRS, WATER, seed=-1), "seed")
