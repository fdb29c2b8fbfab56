"""What makes no sense is refused in the package's own words, by every verb and in every keyword.

An error of Python's own ("'int' object is not iterable") says neither which argument was wrong nor
what it should have been.
"""

from __future__ import annotations

import functools

import numpy as np
import pytest
from ase.build import bulk, molecule

import interpmd as im
from interpmd.demo import MALONALDEHYDE
from interpmd.errors import InterpmdError
from interpmd.potentials import LennardJones

PAIRS = im.Potential([LennardJones(epsilon=0.01, sigma=2.0, cutoff=5.0)])
WATER = molecule("H2O")
TRANSFER = im.proton_transfer(8, donor=4, acceptor=0)

#: Wrong for every number, atom, mapping, target and name.
NEVER = ("x", float("nan"), ["x"], {"x"})


@functools.cache
def run():
    return im.simulate(PAIRS, MALONALDEHYDE, steps=12, interval=1, seed=0, progress=False)


@functools.cache
def explained():
    return im.explain(PAIRS, WATER, im.Force(1), gauge="atoms")


@functools.cache
def labelled():
    frames = im.sample(WATER, "rattle", n=8, seed=1)
    return im.label(frames, "gfn2-xtb", progress=False)


CALLS = {
    "sample": lambda **k: im.sample(WATER, **{"how": "rattle", "n": 1} | k),
    "sample md": lambda **k: im.sample(WATER, **{"how": "md", "n": 1, "progress": False} | k),
    "sub-clusters": lambda **k: im.sample(WATER, **{"how": "fragments", "n": 1} | k),
    "candidates": lambda **k: im.candidates(WATER, **{"n": 2, "progress": False} | k),
    "explain": lambda **k: im.explain(PAIRS, WATER, **k),
    "decompose": lambda **k: im.decompose(PAIRS, WATER, **k),
    "explain_trajectory": lambda **k: im.explain_trajectory(PAIRS, run(), **k, progress=False),
    "reproducibility": lambda **k: im.reproducibility(PAIRS, PAIRS, run()[:2], **k),
    "ledger": lambda **k: im.ledger(PAIRS, run(), **k, progress=False),
    "sensitivity": lambda **k: im.sensitivity(PAIRS, **{"explanation": explained()} | k),
    "certify_explanation": lambda **k: im.certify_explanation(**{"model": PAIRS} | k),
    "to_shap": lambda **k: im.to_shap(**k),
    "fragments_of": lambda **k: im.fragments_of(WATER, **k),
    "groups_of": lambda **k: im.groups_of(WATER, **k),
    "known_fragments": lambda **k: im.known_fragments(WATER, labelled(), **k),
    "pair_curve": lambda **k: im.pair_curve(PAIRS, **{"first": "O", "second": "H"} | k),
    "free_energy": lambda **k: im.free_energy(run(), TRANSFER, 300.0, **k),
    "free_energy_map": lambda **k: im.free_energy_map(
        run(), **{"coordinates": (TRANSFER, TRANSFER), "temperature": 300.0} | k
    ),
    "umbrella": lambda **k: im.umbrella(PAIRS, MALONALDEHYDE, TRANSFER, **k),
    "torsion_profile": lambda **k: im.torsion_profile(
        MALONALDEHYDE, **{"dihedral": (0, 1, 2, 3), "angles": 1} | k
    ),
    "radial_distribution": lambda **k: im.radial_distribution(
        [bulk("Cu", cubic=True).repeat(2)], **k
    ),
    "compare_force_fields": lambda **k: im.compare_force_fields([WATER], **k),
    "fit": lambda **k: im.fit(labelled(), **k, progress=False),
    "learn": lambda **k: im.learn(labelled()[:6], labelled()[6:], **k, progress=False),
    "learning_curve": lambda **k: im.learning_curve(labelled()[:6], labelled()[6:], **k),
    "load": lambda **k: im.load(**k),
}

ASKED = {
    "sample": ("how", "n", "temperatures", "seed", "stdev"),
    "sample md": ("temperatures", "timestep", "interval", "level"),
    "sub-clusters": ("orders",),
    "candidates": ("n", "kinds", "temperatures", "seed"),
    "explain": ("target", "method", "order", "context", "fragments", "gauge", "reference"),
    "decompose": ("order",),
    "explain_trajectory": ("target", "method", "order", "by", "fragments", "gauge", "times"),
    "reproducibility": ("target", "method", "order", "gauge"),
    "ledger": ("atoms", "by", "rule", "tolerance", "times"),
    "sensitivity": ("explanation", "samples", "radius", "seed"),
    "certify_explanation": ("explanation",),
    "to_shap": ("explanations",),
    "fragments_of": ("how",),
    "groups_of": ("groups", "charges", "bonds"),
    "known_fragments": ("order",),
    "pair_curve": ("first", "distances"),
    "free_energy": ("bins", "range", "bias", "draws", "seed"),
    "free_energy_map": ("coordinates", "bins", "ranges", "bias"),
    "umbrella": ("windows", "steps", "seed", "interval"),
    "torsion_profile": ("dihedral", "angles", "converged", "steps"),
    "radial_distribution": ("pairs", "bins", "longest"),
    "compare_force_fields": ("beside",),
    "fit": ("spec", "ridge", "members", "seed", "subset_weights"),
    "learn": ("spec", "batch", "budget", "goal"),
    "learning_curve": ("sizes", "seed"),
    "load": ("name_or_folder",),
}


@pytest.mark.parametrize(
    ("verb", "keyword"), [(verb, keyword) for verb, words in ASKED.items() for keyword in words]
)
def test_what_makes_no_sense_is_refused_in_own_words(verb, keyword):
    for value in NEVER:
        with pytest.raises(InterpmdError) as caught:
            CALLS[verb](**{keyword: value})
        assert len(str(caught.value)) > 15, value


def test_one_number_stands_for_several_and_one_word_for_several():
    one, several = (im.sample(WATER, "md", n=2, temperatures=t, seed=3) for t in (500, [500]))
    np.testing.assert_array_equal(one[1].positions, several[1].positions)
    assert one[0].info["temperature"] == 500
    water = im.sample(WATER, "fragments", orders=1)
    assert [len(part) for part in water] == [3]
    found = im.candidates(WATER, n=2, kinds="hot", temperatures=50, progress=False)
    assert [atoms.info["sampling"] for atoms in found] == ["hot", "hot"]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: im.sample(WATER, "md", temperature=500), "did you mean 'temperatures'"),
        (lambda: im.sample(WATER, "md", temperatures=[]), "temperatures .* none is given"),
        (lambda: im.sample(WATER, "md", temperatures=[300, -1]), r"temperatures\[1\] .* not -1"),
        (lambda: im.sample(WATER, "fragments", orders=(5,)), r"molecules as orders=\(5,\)"),
        (lambda: im.candidates(WATER, n=2, kinds=["biased"]), "nothing to bias"),
        (
            lambda: im.learning_curve(labelled()[:6], labelled()[6:], [2, 9]),
            "at most .* 6 .* not 9",
        ),
        (lambda: im.groups_of(MALONALDEHYDE, charges=[0.5, 0, 0]), "charges"),
    ],
)
def test_what_was_meant_is_said(call, words):
    with pytest.raises(InterpmdError, match=words):
        call()


def test_a_spec_is_given_as_a_mapping_to_whatever_fits():
    spec = {"channels": (20, 10), "lmax": (0, 1), "weights": 40}
    options = {"budget": 6, "compare": False, "progress": False}
    learned = im.learn(labelled()[:6], labelled()[6:], spec=spec, **options)
    assert learned.potential.terms["expansion"].n_features <= 40
    with pytest.raises(InterpmdError, match="spec has no option 'chanels' .did you mean 'chan"):
        im.learn(labelled()[:6], labelled()[6:], spec={"chanels": 3}, **options)
