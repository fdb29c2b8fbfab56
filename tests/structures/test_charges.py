"""One rule for charges: where a structure says its own, and what its parts carry."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from structures_of_tests import chloride_and_waters

import interpmd as im
from interpmd.errors import StructureError
from interpmd.potentials.base import TERMS
from interpmd.reference import label, sample
from interpmd.reference.calculator import ReferenceCalculator, as_calculator
from interpmd.structures.charged_parts import formal_charges, part_of, with_fragment_charges
from interpmd.structures.charges import (
    charge_of,
    for_calculators,
    multiplicity_of,
    stated_charge,
    stated_multiplicity,
)

EEQ = im.Potential([TERMS["electrostatics"]()])


def said(**info) -> Atoms:
    atoms = molecule("H2O")
    atoms.info |= info
    return atoms


def with_initial(*charges: float, **info) -> Atoms:
    atoms = said(**info)
    atoms.set_initial_charges(charges)
    return atoms


@pytest.mark.parametrize(
    ("atoms", "charge"),
    [
        (said(), None),
        (said(charge=-1), -1),
        (said(total_charge=2), 2),
        (said(charge=np.array([1])), 1),
        (said(charge=0), 0),
        (said(charge=1, total_charge=1.0), 1),
        (with_initial(-1, 0, 0), -1),
        (with_initial(0, 0, 0), None),
        (with_initial(-0.66, 0.33, 0.33), 0),
        (with_initial(-0.66, 0.34, 1.33), 1),
        (with_initial(-0.66, 0.33, 0.33, charge=1), 1),
    ],
)
def test_one_rule_for_the_total_charge(atoms, charge):
    assert stated_charge(atoms) == charge
    assert charge_of(atoms, default=7) == (7 if charge is None else charge)
    assert float(im.Batch.from_ase(atoms).charges) == (charge or 0)


def test_charges_that_cannot_be_read_are_refused():
    with pytest.raises(StructureError, match=r"is 1 and info\['total_charge'\] is 2"):
        charge_of(said(charge=1, total_charge=2))
    with pytest.raises(StructureError, match=r"sum to 0.34 e.*info\['charge'\]"):
        im.Batch.from_ase(with_initial(-0.66, 0.5, 0.5))
    with pytest.raises(StructureError, match=r"info\['total_charge'\] is 'one'"):
        EEQ.predict(said(total_charge="one"))
    with pytest.raises(StructureError, match="multiplicity 2S"):
        stated_multiplicity(said(spin=0))


def test_multiplicities():
    assert multiplicity_of(said()) == 1
    assert multiplicity_of(said(spin=3), 1) == 3
    assert stated_multiplicity(molecule("O2")) == 3  # ASE's has magnetic moments of 1 and 1


def test_the_charge_belongs_to_what_ase_remembers():
    """EEQ at charge 0 and 1 differs by 3.6 eV; ASE compares places alone."""
    right = [float(EEQ.predict(said(charge=q)).energy) for q in (0, 1)]
    assert right[1] - right[0] > 1.0
    atoms = said(charge=0)
    atoms.calc = EEQ.calculator()
    found = [atoms.get_potential_energy()]
    atoms.info["charge"] = 1
    found.append(atoms.get_potential_energy())
    assert found == pytest.approx(right, abs=1e-10)
    shared = EEQ.calculator()
    one, other = said(charge=0), said(total_charge=1)
    one.calc = other.calc = shared
    found = [one.get_potential_energy(), other.get_potential_energy(), one.get_potential_energy()]
    assert found == pytest.approx([right[0], right[1], right[0]], abs=1e-10)


@pytest.mark.parametrize("make", [as_calculator, ReferenceCalculator])
def test_quantum_calculators_take_the_charge_of_the_structure(make):
    states = [said(), said(charge=1, multiplicity=2), with_initial(1, 0, 0, spin=2)]
    neutral, cation = (a.get_potential_energy() for a in label(states[:2], progress=False))
    assert cation - neutral > 10.0
    shared, found = make("gfn2-xtb"), []
    for atoms in states:
        atoms.calc = shared
        found.append(atoms.get_potential_energy())
    assert found == pytest.approx([neutral, cation, cation], abs=1e-4)
    atoms = said()
    atoms.calc = make("gfn2-xtb", charge=1, multiplicity=2)  # of structures that name none
    assert atoms.get_potential_energy() == pytest.approx(cation, abs=1e-4)


def test_lone_ions_of_a_neutral_cluster():
    salt = Atoms("NaCl", [[0, 0, 0], [0, 0, 2.4]])
    salt += Atoms("OH2", [[0, 4, 0], [0.76, 4.6, 0], [-0.76, 4.6, 0]])
    assert formal_charges(salt)[[0, 1]].tolist() in ([0, 0], [1, -1])
    apart = Atoms("NaCl", [[0, 0, 0], [0, 0, 6.0]])
    assert formal_charges(apart).tolist() == [1, -1]
    assert formal_charges(molecule("CH3NO2")).tolist() == [0] * 7  # a molecule alone needs none
    radicals = Atoms("OHOH", [[0, 0, 0], [0, 0, 0.97], [5, 0, 0], [5, 0, 0.97]])
    assert formal_charges(radicals).tolist() == [0] * 4


def test_parts_name_charge_and_multiplicity():
    cluster = chloride_and_waters()
    cluster.info |= {"charge": -1, "multiplicity": 3}
    charges = formal_charges(cluster)
    ion, water = part_of(cluster, [0], charges), part_of(cluster, [1, 2, 3], charges)
    assert (ion.info["charge"], ion.info["multiplicity"]) == (-1, 1)
    assert (water.info["charge"], water.info["multiplicity"]) == (0, 1)
    assert part_of(cluster, range(7), charges).info["multiplicity"] == 3
    moved = with_fragment_charges(cluster, [[0, 1, 2, 3], [4, 5, 6]], [-1, 0], -1)
    assert formal_charges(moved).sum() == -1
    ready = for_calculators(moved)
    assert ready.get_initial_charges().sum() == -1
    assert ready.get_initial_magnetic_moments().sum() == 2


def test_clusters_and_their_fragments_keep_charges():
    ion = Atoms("Cl", info={"charge": -1})
    pairs = sample([ion, molecule("H2O")], how="dimers", n=12, seed=1)
    for pair in pairs:
        assert charge_of(pair) == -(pair.numbers == 17).sum()
    cluster = chloride_and_waters()
    cluster.info["charge"] = -1
    parts = sample(cluster, how="fragments", n=100)
    assert [charge_of(p) for p in parts] == [-1, 0, 0, -1, -1, 0, -1]
