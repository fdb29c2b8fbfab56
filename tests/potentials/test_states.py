"""A potential says when it is asked for a charge or a multiplicity that it never saw."""

import warnings

import pytest
from ase.build import molecule
from fitting.frames_of_methanol import ISOLATED, SMALL, frames

import interpmd as im
from interpmd.errors import ExtrapolationWarning
from interpmd.potentials import LennardJones


def fitted(**info):
    train = frames(8)
    for atoms in train:
        atoms.info |= info
    return im.fit([*train, *ISOLATED], spec=SMALL, ridge=1e-6, progress=False).potential


def asked(potential, **info):
    atoms = molecule("CH3OH")
    atoms.info |= info
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        potential.predict(atoms)
        potential.predict([atoms])
        atoms.calc = potential.calculator()
        atoms.get_forces()
    told = [w for w in seen if w.category is ExtrapolationWarning]
    assert {w.filename for w in told} <= {__file__}, "at the line that asked"
    return [str(w.message) for w in told]


def test_states_that_were_not_learned_are_named(tmp_path):
    potential = fitted(multiplicity=1)
    assert not asked(potential)
    assert not asked(potential, charge=0, spin=1)
    for said in (asked(potential, charge=1), asked(potential, total_charge=1)):
        assert len(said) == 3
        assert "the charge +1 e, and the potential was trained on charges 0 alone" in said[0]
    assert "the multiplicity 3" in asked(potential, spin=3)[0]
    potential.save(tmp_path / "kept")
    assert "the charge -1 e" in asked(im.load(tmp_path / "kept"), charge=-1)[0]


def test_states_that_were_learned_pass():
    with warnings.catch_warnings():
        warnings.simplefilter("error", ExtrapolationWarning)  # nor does the fit doubt its own
        cation = fitted(charge=1, multiplicity=2)
    assert cation.card.provenance["charges"] == [1.0]
    assert not asked(cation, charge=1, multiplicity=2)
    assert "charges 1 alone" in asked(cation)[0]


def test_nothing_learned_nothing_to_say():
    argon = im.Potential([LennardJones(epsilon=0.01, sigma=1.0, cutoff=3.0)])
    assert not asked(argon, charge=5)


def test_an_explanation_names_a_state_once_at_the_line_that_asked():
    methanol = molecule("CH3OH")
    methanol.info |= {"charge": 0, "multiplicity": 1}
    potential = fitted(charge=0, multiplicity=1)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("default")
        im.explain(potential, methanol, fragments="[CH3]", order=2)  # radicals
    assert {w.filename for w in seen} == {__file__}
    assert len({str(w.message) for w in seen}) == len(seen), "the same thing twice"


def test_charged_parts_of_groups_are_mentioned():
    malonaldehyde = im.load("malonaldehyde")
    atoms = molecule("CH3OH")
    atoms.info["charge"] = 1
    with pytest.warns(ExtrapolationWarning, match="charge [+]1 e"):
        malonaldehyde.predict(atoms)
