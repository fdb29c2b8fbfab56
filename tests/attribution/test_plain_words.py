"""Atoms by the names that labels give them, forces along themselves, and no claim that is not
about the rows beside which it stands."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from ase import Atoms
from test_gauges_over_time import dataset

import interpmd as im
from interpmd.attribution.named_atoms import atom_of
from interpmd.attribution.over_time.drivers import covariance_shares
from interpmd.demo import MALONALDEHYDE

SHIPPED = im.load("malonaldehyde")


def test_atoms_have_the_names_that_labels_give_them():
    by_name, by_index = im.Force("H8", along="O0"), im.Force(8, along=0)
    assert by_name == by_index and hash(by_name) == hash(by_index)
    assert by_name.functional(MALONALDEHYDE).forces.tolist() == (
        by_index.functional(MALONALDEHYDE).forces.tolist()
    )
    found = im.explain(SHIPPED, MALONALDEHYDE, by_name)
    assert any("H8" in label for label in found.labels)
    assert found.total == im.explain(SHIPPED, MALONALDEHYDE, by_index).total
    assert im.Force(["H8", 0]).indices == [8, 0]
    assert im.Torque(("C1", "C2", "C3", "O4")).dihedral == (1, 2, 3, 4)
    with pytest.raises(im.TargetError, match="a dihedral has four different atoms, not 8"):
        im.Torque(8).functional(Atoms("OH"))
    moving = MALONALDEHYDE.copy()
    moving.set_velocities(np.ones((9, 3)))
    assert im.Power(("H8",)).functional(moving).forces[0, 8].any()
    assert atom_of("O4", MALONALDEHYDE) == atom_of(4, MALONALDEHYDE) == 4


def test_a_name_that_does_not_fit_is_refused_with_those_that_do():
    for wrong in (im.Force("H4"), pickle.loads(pickle.dumps(im.Force("H4")))):
        with pytest.raises(im.TargetError, match="no H4: atom 4 is O; H are H5, H6, H7, H8"):
            im.explain(SHIPPED, MALONALDEHYDE, copy.deepcopy(wrong))
    with pytest.raises(im.TargetError, match="OC3OH4 has no N"):
        im.explain(SHIPPED, MALONALDEHYDE, im.Force(8, along="N2"))
    with pytest.raises(im.TargetError, match="there is no atom 90"):
        im.explain(SHIPPED, MALONALDEHYDE, im.Force("H90"))
    for text in ("H", "8", "Qq3", "proton"):
        with pytest.raises(im.TargetError, match="as in 'H8'"):
            im.Force(text)


def test_a_force_is_grouped_along_itself_and_by_components_on_request():
    found = im.explain(SHIPPED, MALONALDEHYDE, im.Force("H8"))
    along, parts = found.by("kind"), found.by("kind", components=True)
    assert along.sum() == pytest.approx(np.linalg.norm(found.total), abs=1e-8)
    assert np.allclose(parts.sum(), found.total) and list(parts.columns) == [
        f"value_eV/A_{x}" for x in "xyz"
    ]
    direction = found.predicted / np.linalg.norm(found.predicted)
    assert np.allclose(parts @ direction, along, atol=1e-12)
    spread = found.by("kind", std=True)["std_eV/A"]
    assert spread.to_dict() == pytest.approx(
        {kind: found.spreads("kind")[kind] for kind in spread.index}
    )
    assert found.scalars("kind") == pytest.approx(along.to_dict())


def test_pair_forces_are_certified_for_what_holds_of_pair_forces():
    certificate = im.explain(
        SHIPPED, MALONALDEHYDE, im.Force(8, along=0), method="pair_force"
    ).certificate()
    names = [check.name for check in certificate.group("axioms")]
    assert names == ["completeness", "momentum"] and certificate.badge == "EXACT"
    assert certificate["torque of a pair on itself"] > 1.0  # eV, not conserved
    assert not certificate.group("learned truth") and not certificate.group("sanity")
    # a pair that points along itself turns nothing
    argon = im.Potential([im.potentials.LennardJones(epsilon=0.01, sigma=3.4, cutoff=8.0)])
    atoms = Atoms("Ar3", [[0, 0, 0], [3.6, 0, 0], [0, 3.9, 1]])
    central = im.explain(argon, atoms, im.Force(0), method="pair_force").certificate()
    assert central["torque of a pair on itself"] < 1e-12


def test_checks_of_rows_of_atoms_stand_beside_rows_of_atoms_only():
    learned = {"learned truth", "sanity", "analytic truth"}
    target = im.Force(8, along=0)
    for gauge in ("internal", "groups", "atoms"):
        certificate = im.explain(SHIPPED, MALONALDEHYDE, target, gauge=gauge).certificate()
        groups = {check.group for check in certificate.checks}
        assert (learned & groups == learned) is (gauge == "atoms"), gauge
        text = str(certificate)
        assert ("not that these rows are right" in text) is (gauge == "atoms")
        assert ("not that these rows are right" in certificate._repr_html_()) is (gauge == "atoms")
    water = im.load("water")
    dimer = im.sample(MALONALDEHYDE[[0, 8]], how="rattle", n=1)[0]  # an O and an H
    assert "quantum truth" in {c.group for c in im.explain(water, dimer).certificate().checks}


def test_a_share_below_zero_is_explained_where_it_stands():
    driving = np.sin(np.linspace(0, 6, 40))
    found = covariance_shares(dataset(np.stack([1.16 * driving, -0.16 * driving], axis=1)))
    assert found.shares["row 1"] == pytest.approx(-0.16)
    text = repr(found)
    assert "A share below zero (row 1, −16 %) changes against the" in text
    assert "above 1 is one that others cancel" in text and "Shares sum to 1" in text
    assert "comes first from row 0 (116 % of the changes; others change against it)" in text
    plain = covariance_shares(dataset(np.stack([0.7 * driving, 0.3 * driving], axis=1)))
    assert "below zero" not in repr(plain) and "70 % of the changing" in repr(plain)


def test_the_explorer_takes_names_too():
    panel = im.ForceExplorer(SHIPPED, [MALONALDEHYDE], atom="H8", target="along", other="O0")
    assert (panel.atom, panel.other) == (8, 0)
    with pytest.raises(im.TargetError, match="no H4"):
        im.ForceExplorer(SHIPPED, [MALONALDEHYDE], atom="H4")
