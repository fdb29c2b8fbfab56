"""Fragments of charged clusters carry charges: chloride between two waters, by GFN2-xTB and EEQ."""

import numpy as np
import pytest
from ase import Atoms
from capped_molecules import from_smiles
from structures_of_tests import chloride_and_waters

import interpmd as im
from interpmd.errors import FragmentError, ModelError
from interpmd.potentials.base import TERMS
from interpmd.reference.calculator import as_calculator
from interpmd.structures.groups import groups_of

EEQ = im.Potential([TERMS["electrostatics"]()])

#: GFN2-xTB of water at the geometry of ASE, in eV.
WATER = -137.96777


def test_charged_parts_of_glycine_through_a_named_level():
    """As through the levels themselves; with the charge fixed they were off by 8.8 eV."""
    atoms = from_smiles("[NH3+]CC(=O)[O-]")
    grouping = groups_of(atoms)
    by_calculator = im.explain(as_calculator("gfn2-xtb"), atoms, gauge=grouping)
    own = im.explain(_tblite(), atoms, gauge=grouping)
    assert np.allclose(by_calculator.values, own.values, atol=1e-3)


def _tblite(**options):
    from tblite.ase import TBLite

    return TBLite(method="GFN2-xTB", verbosity=0, accuracy=0.1, **options)


@pytest.mark.parametrize("how", ["parameter", "info", "initial charges", "named level"])
def test_fragments_of_a_charged_cluster_carry_charges(how):
    cluster = chloride_and_waters()
    model = as_calculator("gfn2-xtb") if how == "named level" else _tblite()
    if how == "parameter":
        model = _tblite(charge=-1)
    elif how == "initial charges":
        cluster.set_initial_charges([-1, 0, 0, 0, 0, 0, 0])
    else:
        cluster.info["total_charge"] = -1
    found = im.explain(model, cluster, fragments="molecules", order=3)
    rows = found.by("fragment")
    assert rows[(1,)] == pytest.approx(WATER, abs=1e-3)
    assert rows[(0, 1)] == rows[(0, 2)] == pytest.approx(0.512, abs=2e-3)
    assert rows[(1, 2)] == pytest.approx(0.021, abs=2e-3)
    assert rows[(0, 1, 2)] == pytest.approx(0.011, abs=2e-3)
    assert found.residual < 1e-6
    assert "Cl (0) -1" in found.statement
    if how == "parameter":  # what the calculator was made with is put back
        assert model.parameters["charge"] == -1


def test_charges_of_fragments_that_the_user_gives():
    cluster = chloride_and_waters()
    cluster.info["charge"] = -1
    model, ask = as_calculator("gfn2-xtb"), {"fragments": "molecules", "order": 3}
    guessed = im.explain(model, cluster, **ask)
    same = im.explain(model, cluster, **ask, fragment_charges=[-1, 0, 0])
    assert np.allclose(guessed.values, same.values, atol=1e-6)
    other = im.explain(model, cluster, **ask, fragment_charges=[0, -1, 0])
    assert other.by("fragment")[(1,)] > WATER + 2
    assert other.total == pytest.approx(guessed.total, abs=1e-6)
    with pytest.raises(FragmentError, match="2 fragment_charges for 3 fragments"):
        im.explain(model, cluster, **ask, fragment_charges=[-1, 0])
    with pytest.raises(FragmentError, match="sum to 1 e, and the structure has the charge -1 e"):
        im.explain(model, cluster, **ask, fragment_charges=[1, 0, 0])
    cluster.info["charge"] = -2
    with pytest.raises(FragmentError, match="charge -2 e together.*fragment_charges="):
        im.explain(model, cluster, **ask)
    with pytest.raises(ModelError, match="made with charge=-1, and the structure names"):
        im.explain(_tblite(charge=-1), cluster, **ask)


def test_truth_and_equilibrated_charges_follow_the_same_rule():
    cluster = chloride_and_waters()
    cluster.info["charge"] = -1
    truth = im.quantum_truth(EEQ, cluster, order=3, progress=False).contributions
    pair, three = truth[truth.fragments == (0, 1)], truth[truth.fragments == (0, 1, 2)]
    per_kcal = 0.0433641
    assert float(pair.quantum.iloc[0]) * per_kcal == pytest.approx(0.512, abs=2e-3)
    assert float(three.quantum.iloc[0]) * per_kcal == pytest.approx(0.011, abs=2e-3)
    own = im.explain(EEQ, cluster, fragments="molecules", order=3).by("fragment")
    water = Atoms(cluster.numbers[1:4], cluster.positions[1:4])
    assert own[(1,)] == pytest.approx(float(EEQ.predict(water).energy), abs=1e-9)
    assert float(pair.potential.iloc[0]) * per_kcal == pytest.approx(own[(0, 1)], abs=1e-6)
