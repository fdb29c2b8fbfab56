"""Elements that have fewer channels than others."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk, molecule
from frames_of_methanol import ISOLATED, SMALL, frames

import interpmd as im
from interpmd.errors import ArgumentError, StructureError
from interpmd.fitting.by_element import by_bonds, with_channels
from interpmd.fitting.channels import apart
from interpmd.fitting.spec import CHANNELS
from interpmd.potentials import ClusterExpansion

PARTS = {"H": 0.25, "O": 0.5}


def test_a_part_is_that_of_the_channels_of_each_order():
    even = im.Spec(weights=4000).expansion([1, 6, 8], seed=0)
    term = im.Spec(weights=4000, channels_by_element=PARTS).expansion([1, 6, 8], seed=0)
    assert len(set(map(tuple, even.channels_of.tolist()))) == 1
    hydrogen, carbon, oxygen = term.channels_of
    assert np.abs(hydrogen - carbon / 4).max() <= 1
    assert np.abs(oxygen - carbon / 2).max() <= 1
    assert len(term.elements) * term.n_features > 4000 >= len(term.columns) > 3900
    assert len(even.columns) == len(even.elements) * even.n_features
    assert np.array_equal(even.columns, np.arange(len(even.columns)))


def test_weights_of_an_element_stand_in_its_first_channels():
    term = ClusterExpansion(
        ["H", "C"], lmax=(0, 1), channels=[(1, 2), (3, 4)], functions=2, cutoff=3.0
    )
    invariants = term.n_invariants[1]
    expected = [[1, 0, 0], [1, 1, 1]], [[1, 1, 0, 0], [1, 1, 1, 1]]
    used = np.concatenate([expected[0], np.repeat(expected[1], invariants, axis=1)], axis=1)
    assert np.array_equal(term.in_readout(np.ones(len(term.columns))).numpy(), used)
    again = ClusterExpansion(**term.config())
    assert np.array_equal(again.channels_of, term.channels_of)
    even = ClusterExpansion(["H", "C"], lmax=(0, 1), channels=[(3, 4), (3, 4)], functions=2)
    assert even.config()["channels"] == [3, 4]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"X": 0.5}, "numbers above 0, at most 1, by symbol of an element, not 'X'"),
        ({"H": "half"}, "not 'H': 'half'"),
        (["H"], r"channels_by_element is 'bonds' or numbers by symbol, not \['H'\]"),
        ("valence", "channels_by_element is 'bonds' or numbers, not 'valence'"),
        ({"H": 0.0}, "not 'H': 0.0"),
        ({"H": 1.5}, "not 'H': 1.5"),
    ],
)
def test_parts_that_make_no_sense(given, message):
    with pytest.raises(ArgumentError, match=message):
        im.Spec(channels_by_element=given)


def test_bonds_give_channels():
    methanol, water = molecule("CH3OH"), molecule("H2O")
    assert by_bonds([methanol]) == {"H": 0.12, "C": 1.0, "O": 0.35}  # (1/4)^1.5, 1, (2/4)^1.5
    assert by_bonds([water, methanol]) == {"H": 0.12, "C": 1.0, "O": 0.35}
    assert by_bonds([water]) == {"H": 0.35, "O": 1.0}
    assert by_bonds([bulk("Cu", cubic=True)]) == {"Cu": 1.0}
    assert by_bonds([Atoms("ArHe", [[0, 0, 0], [0, 0, 4]])]) == {}
    with pytest.raises(ArgumentError, match="depends on frames"):
        im.Spec(channels_by_element="bonds").expansion([1], seed=0)


def test_atoms_of_solids_count_as_fully_bonded_and_rare_ones_set_no_measure():
    alloy = bulk("Cu", cubic=True) * (2, 1, 1)
    alloy.numbers[0] = 79
    assert by_bonds([alloy]) == {"Cu": 1.0, "Au": 1.0}
    assert by_bonds([bulk("NaCl", "rocksalt", a=5.64)]) == {}
    waters = [molecule("H2O")] * 40
    methane = molecule("CH4")  # 1 of 125 atoms is carbon
    few = by_bonds([*waters, methane])
    assert few["C"] == few["O"] == 1.0 and abs(few["H"] - 0.35) < 0.01
    assert by_bonds([*waters, *[methane] * 10])["O"] == 0.35
    shot = [Atoms("ArOH", [[0, 0, z], [0, 0, 0], [0, 0, -0.97]]) for z in (1.5, 4, 4, 4)]
    assert by_bonds(shot).keys() == {"O", "H"}  # argon meets oxygen once in four frames


def test_a_fit_goes_by_bonds_unless_its_channels_are_given():
    many = [*frames(12), *ISOLATED]
    found = {}
    for name, spec in {
        "usual": {"weights": 300},
        "bonds": {"weights": 300, "channels_by_element": "bonds"},
        "given": {"weights": 300, "channels": (40, 40), "lmax": (0, 3)},
        "even": {"weights": 300, "channels_by_element": {}},
    }.items():
        potential = im.fit(many, spec=spec, ridge=1e-5, progress=False).potential
        found[name] = potential.terms["expansion"].channels_of.tolist()
        stored = potential.card.provenance["spec"]
        assert im.Spec(**stored).expansion([1, 6, 8], 0).channels_of.tolist() == found[name]
    hydrogen, carbon, oxygen = (channels[0] for channels in found["usual"])
    assert 1 <= hydrogen < oxygen < carbon
    assert found["bonds"] == found["usual"]
    for name in ("given", "even"):
        assert found[name][0] == found[name][1] == found[name][2]


def test_a_fit_to_an_element_of_which_no_radius_is_known():
    einsteinium = [Atoms("Es2", [[0, 0, 0], [0, 0, d]]) for d in np.linspace(2.5, 3.5, 12)]
    with pytest.raises(StructureError):
        with_channels(im.Spec(channels_by_element="bonds"), einsteinium)
    usual = with_channels(im.Spec(), einsteinium)
    assert usual.channels_by_element == {} and usual.channels == CHANNELS


@pytest.mark.parametrize("channels", [[(3, 4)], [(3, 4), (3,)], [(3, 0), (3, 4)], [(), ()], []])
def test_channels_that_make_no_sense(channels):
    with pytest.raises(ArgumentError, match="or such a list for each element"):
        ClusterExpansion(["H", "C"], lmax=0, channels=channels)


@pytest.mark.parametrize("members", [1, 2])
def test_a_fit_with_fewer_channels_of_hydrogen_is_saved_and_grows(members, tmp_path):
    many = frames(40)
    spec = SMALL | {"channels_by_element": PARTS}
    options = {"spec": spec, "members": members, "progress": False}
    report = im.fit([*many[:30], *ISOLATED], ridge=1e-6, **options)
    term = report.potential.terms["expansion"]
    without = np.setdiff1d(np.arange(term.readout.numel()), term.columns)
    assert len(without) > 50 and not term.readout.flatten()[without].any()
    assert not term.samples.flatten(0, 1)[without].any()
    assert report.potential.card.provenance["weights"] == len(term.columns)
    report.potential.save(tmp_path / "some")
    loaded, atoms = im.load(tmp_path / "some"), many[35]
    forces = loaded.predict(atoms).forces
    assert torch.equal(forces, report.potential.predict(atoms).forces)
    expected = loaded.predict_by_torch(atoms).forces
    assert torch.allclose(forces, expected, rtol=0, atol=1e-9)
    for part in apart(term, members):
        assert np.array_equal(members * part.channels_of, term.channels_of)
    fit = im.GrowingFit(loaded, [*many[:30], *ISOLATED])
    grown = fit.add(many[30:])
    anew = im.fit([*many, *ISOLATED], ridge=1e-6, **options).potential
    off = [float((p.predict(atoms).forces - forces).abs().max()) for p in (grown, anew)]
    between = float((grown.predict(atoms).forces - anew.predict(atoms).forces).abs().max())
    assert between < 0.2 * min(off)
