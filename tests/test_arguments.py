"""Numbers that make no sense are refused by name, wherever they come in."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from ase.build import molecule

import interpmd as im
from interpmd import arguments
from interpmd.demo import MALONALDEHYDE
from interpmd.errors import ArgumentError, StructureError
from interpmd.potentials import LennardJones

PAIRS = im.Potential([LennardJones(epsilon=0.01, sigma=2.0, cutoff=5.0)])
WATER = molecule("H2O")


def massless():
    atoms = WATER.copy()
    atoms.set_masses([16.0, 0.0, 1.0])
    return atoms


def run(**changed):
    return im.simulate(PAIRS, WATER, **({"steps": 2, "progress": False} | changed))


def drawn(**changed):
    return im.sample(WATER, **({"how": "rattle", "n": 2} | changed))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: run(friction=-0.1, ensemble="nvt"), "friction is a number, 0 or more, not -0.1"),
        (lambda: run(timestep=np.nan), "timestep is a number above 0, not nan"),
        (lambda: run(timestep=-1.0), "timestep"),
        (lambda: run(temperature=np.inf), "temperature"),
        (lambda: run(temperature="300"), "temperature is a number above 0, not '300'"),
        (lambda: run(seed=-1), "seed is a whole number, 0 or more, not -1"),
        (lambda: run(seed=1.5), "seed"),
        (lambda: run(steps=2.5), "steps is a whole number, 1 or more, not 2.5"),
        (lambda: run(steps=True), "steps"),
        (lambda: run(interval=0), "interval"),
        (lambda: run(ensemble="npp"), "ensemble is 'nve' or 'nvt' or 'npt', not 'npp'"),
        (lambda: run(precision="float16"), "precision is 'float64' or 'float32', not 'float16'"),
        (lambda: drawn(n=0), "n is a whole number, 1 or more, not 0"),
        (lambda: drawn(seed=-1), "seed"),
        (lambda: drawn(stdev=-0.1), "stdev"),
        (lambda: drawn(stddev=0.1), "no option 'stddev' .did you mean 'stdev'"),
        (lambda: drawn(how="md", temperatures=(-300.0,)), "temperatures"),
        (lambda: drawn(how="md", timestep=np.nan), "timestep"),
        (lambda: drawn(how="md", friction=-1.0), "friction"),
        (lambda: drawn(how="dimers", distances=(8.0, 2.0)), "distances ascend"),
        (lambda: drawn(how="dimers", distances=3.0), "distances are two numbers"),
        (lambda: im.label([WATER], workers=0, progress=False), "workers"),
        (lambda: im.label([WATER], multiplicity=-1, progress=False), "multiplicity"),
        (lambda: im.label([WATER], invalid="skipp", progress=False), "did you mean 'skip'"),
        (
            lambda: im.explain(PAIRS, WATER, method="shapley_sampling", seed=-1),
            "seed is a whole number, 0 or more, not -1",
        ),
        (lambda: im.explain(PAIRS, WATER, method="shapley_sampling", samples=0), "samples"),
        (lambda: im.doctor("water", seed=-1, progress=False), "seed"),
        (lambda: im.doctor("water", threshold=-1.0, progress=False), "threshold"),
        (lambda: im.certify(PAIRS, WATER, seed=-1), "seed"),
        (lambda: im.LiveMD(PAIRS, WATER, timestep=-0.5), "timestep"),
    ],
)
def test_numbers_are_refused_by_name(call, words):
    with pytest.raises(ArgumentError, match=words):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda: im.simulate(PAIRS, massless(), steps=2, progress=False),
        lambda: im.sample(massless(), how="md", n=1, progress=False),
        lambda: im.sample(massless(), how="normal_modes", n=1, progress=False),
        lambda: im.LiveMD(PAIRS, massless()),
    ],
)
def test_atoms_without_mass_are_refused_by_name(call):
    with pytest.raises(StructureError, match=r"mass of atom 1 \(H\) is 0"):
        call()


def test_numbers_that_make_sense_pass():
    arguments.positive(a=1, b=np.float32(0.5))
    arguments.count(a=np.int64(3))
    arguments.count(0, a=0)
    arguments.seeds(a=0, b=2**40)
    arguments.part(a=0, b=0.5)
    assert arguments.range_of([1, 2.5], "distances") == (1.0, 2.5)
    arguments.masses_of(MALONALDEHYDE)
    assert arguments.factors(["a", "b"], {"a": 2}, "weights") == {"a": 2.0}


@pytest.mark.parametrize("given", ["ab", 4, None, [], [0, 1.5], [0, -1], [True, 0], [0, "H1"]])
def test_what_are_no_atoms_is_refused(given):
    with pytest.raises(ArgumentError, match="ring"):
        arguments.atoms_of(given, "ring")


def test_atoms_and_numbers_are_taken_as_they_are():
    assert arguments.atoms_of(np.array([3, 1]), "ring") == (3, 1)
    with pytest.raises(ArgumentError, match=r"2 or 3 of them.*not 4"):
        arguments.atoms_of([0, 1, 2, 3], "along", (2, 3))
    assert arguments.numbers_of((1, 2.5), "values").tolist() == [1.0, 2.5]
    for given in ("abc", 1.0, [], [[1.0]], [1.0, None], [np.inf]):
        with pytest.raises(ArgumentError, match="values are finite numbers"):
            arguments.numbers_of(given, "values")


@pytest.mark.parametrize("given", ["water", None, SimpleNamespace(potential=None)], ids=repr)
def test_what_is_no_potential_is_refused_by_every_verb_that_needs_one(given):
    water = WATER
    verbs = {
        "decompose": lambda p: im.decompose(p, water),
        "pair_curve": lambda p: im.pair_curve(p, "O", "H"),
        "triplet_map": lambda p: im.triplet_map(p, "HOH", angle=104.0),
        "correction": im.correction,
        "corrections": lambda p: im.corrections(p, water),
        "evaluate": lambda p: im.evaluate(p, [water]),
        "quantum_truth": lambda p: im.quantum_truth(p, [water]),
        "remember_fragments": lambda p: im.remember_fragments(p, [water]),
        "on_the_fly": lambda p: im.on_the_fly(p, [water]),
        "LiveMD": lambda p: im.LiveMD(p, water),
        "PotentialInspector": im.PotentialInspector,
        "GeometryLab": lambda p: im.GeometryLab(p, water),
    } | ({} if isinstance(given, str) else {"doctor": im.doctor})  # which loads a name
    for verb in verbs.values():
        with pytest.raises((ArgumentError, im.ModelError)) as error:
            verb(given)
        assert "im.load(" in str(error.value) or not isinstance(given, str)
