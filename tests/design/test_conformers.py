"""Conformers: all that are known are found, each once, ranked and explained."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import molecule
from ase.units import kcal, mol

import interpmd as im
from interpmd.design.conformers import distance
from interpmd.design.geometry import placed, torsion
from interpmd.errors import ArgumentError, DesignError, DesignFileError, IsomerWarning

KCAL = mol / kcal


@pytest.fixture(scope="module")
def butane():
    return im.conformers("CCCC", seeds=12, hops=0, progress=False)


@pytest.fixture(scope="module")
def dipeptide():
    potential = im.load("alanine_dipeptide")
    return im.conformers("CC(=O)NC(C)C(=O)NC", potential, seeds=20, hops=2, progress=False)


def test_butane_has_two_conformers_and_mirror_images_are_one(butane):
    assert len(butane) == 2
    anti, gauche = (abs(torsion(atoms, (0, 1, 2, 3))) for atoms in butane.structures)
    assert anti == pytest.approx(180, abs=3)
    assert gauche == pytest.approx(65, abs=6)
    assert butane.energies[1] * KCAL == pytest.approx(0.65, abs=0.25)
    table = butane.table()
    assert table["population"].sum() == pytest.approx(1)
    assert table["std"].isna().all() and butane.certain(0, 1) is None
    assert "2 conformers of CCCC" in repr(butane)


def test_mirror_images_of_a_given_stereocentre_are_two():
    made = im.conformers("C[C@H](O)F", seeds=12, hops=0, progress=False)
    free = im.conformers("CC(O)F", seeds=12, hops=0, progress=False)
    assert made.energies == pytest.approx(free.energies, abs=2e-3)
    from rdkit import Chem

    kept = Chem.AddHs(Chem.MolFromSmiles("C[C@H](O)F"))
    loose = Chem.AddHs(Chem.MolFromSmiles("CC(O)F"))
    mirrored = made[0].copy()
    mirrored.positions *= -1
    assert distance(kept, made[0], mirrored) > 0.3
    assert distance(loose, made[0], mirrored) < 1e-3


def test_equal_atoms_may_change_places():
    from rdkit import Chem

    made = Chem.AddHs(Chem.MolFromSmiles("FC(F)(F)CO"))
    atoms = im.conformers("FC(F)(F)CO", seeds=4, hops=0, progress=False)[0]
    turned = atoms.copy()
    turned.positions[[0, 2, 3]] = atoms.positions[[2, 3, 0]]
    assert distance(made, atoms, turned) < 1e-3


def test_a_structure_keeps_its_bonds_and_is_among_the_conformers():
    found = im.conformers(molecule("CH3CH2OH"), seeds=10, hops=1, progress=False)
    assert len(found) == 2  # trans and gauche
    angles = sorted(abs(torsion(atoms, (0, 1, 2, 3))) for atoms in found.structures)
    assert angles == pytest.approx([60, 180], abs=12)
    for atoms in found.structures:
        assert np.linalg.norm(atoms.get_forces(), axis=1).max() < 0.02


def test_ranks_of_alanine_dipeptide_are_those_of_its_reference(dipeptide):
    assert len(dipeptide) >= 3
    checked = dipeptide.checked("gfn2-xtb", 3)
    assert (checked["error"].abs() < 0.3).all()  # kcal/mol
    assert (np.diff(checked["reference"]) > -0.1).all()  # two are as good as equal
    bars = dipeptide.energies_std
    assert bars[0] == 0 and (bars[1:] > 0).all()
    assert 0.5 < dipeptide.certain(0, 2) <= 1
    assert dipeptide.certain(2, 0) == pytest.approx(1 - dipeptide.certain(0, 2))


def test_why_one_lies_above_the_other_adds_up(dipeptide):
    why = dipeptide.why(2, 0, gauge="groups")
    assert float(why.total) == pytest.approx(float(dipeptide.energies[2]), abs=1e-6)
    assert abs(why.residual) < 1e-8
    assert why.by("order", std=True)["std_eV"].notna().all()


def test_what_the_force_field_puts_last_is_found(tmp_path):
    # ethylene glycol by GFN2-xTB: ten conformers (of 3^3 torsions), those with a hydrogen bond
    # lowest; one seed, and the rest is found by turning torsions
    every = im.conformers("OCCO", seeds=60, turns=0, progress=False)
    few = im.conformers("OCCO", seeds=1, turns=4, progress=False)
    assert every.energies[1] < 0.03 < every.energies[-1]
    assert few.energies[:3] == pytest.approx(every.energies[:3], abs=2e-3)
    assert few[0].get_potential_energy() == pytest.approx(every[0].get_potential_energy(), abs=1e-3)
    assert "turning" in few.sources and set(every.sources) == {"seed"}


def test_guesses_of_equal_energy_that_differ_are_both_kept():
    from rdkit import Chem

    from interpmd.design.conformers import _distinct

    made = Chem.AddHs(Chem.MolFromSmiles("CCCC"))
    anti, gauche = im.conformers("CCCC", seeds=8, progress=False).structures
    turned = gauche.copy()
    turned.rotate(40, (1, 2, 3))
    assert len(_distinct(made, [(0.0, anti), (0.001, gauche), (0.002, turned)])) == 2


def test_an_isomer_is_chosen_where_the_formula_leaves_several():
    from rdkit import Chem

    with pytest.warns(IsomerWarning, match="C@@?H"):
        found = im.conformers("CC(O)C(C)Cl", seeds=6, turns=0, progress=False)
    assert len(found) > 2
    loose = Chem.AddHs(Chem.MolFromSmiles("CC(O)C(C)Cl"))
    for atoms in found.structures:
        seen = placed(loose, atoms)
        Chem.AssignStereochemistryFrom3D(seen)
        assert Chem.MolToSmiles(Chem.RemoveHs(seen)) == found.smiles


def test_a_search_goes_on_where_it_stopped_and_processes_change_nothing(tmp_path):
    path = tmp_path / "found.jsonl"
    asked = {"seeds": 4, "turns": 1, "hops": 1, "progress": False}
    whole = im.conformers("OCCF", out=path, **asked)
    lines = path.read_text().splitlines(keepends=True)
    assert len(lines) > 6
    path.write_text("".join(lines[:4]) + lines[4][:50])  # killed while it wrote
    again = im.conformers("OCCF", out=path, workers=2, **asked)
    assert path.read_text().splitlines(keepends=True)[:4] == lines[:4]
    assert len(again) == len(whole)
    for one, other in zip(whole.structures, again.structures, strict=True):
        assert one.positions == pytest.approx(other.positions, abs=1e-4)
    before = path.read_bytes()
    im.conformers("OCCF", out=path, **asked)
    assert path.read_bytes() == before  # nothing is computed twice
    with pytest.raises(DesignFileError, match="other conformers"):
        im.conformers("CCF", out=path, **asked)
    assert path.read_bytes() == before


def test_torsions_that_change_something_are_turned():
    from rdkit import Chem

    from interpmd.design.turning import rotors

    def of(smiles):
        return [(four[1:3], len(by)) for four, by in rotors(Chem.AddHs(Chem.MolFromSmiles(smiles)))]

    assert of("CCCC") == [((1, 2), 2)]  # not the methyl groups
    assert of("CC(=O)O") == [((1, 3), 1)]  # flat: half a turn
    assert of("CC(F)(F)F") == of("CC#CC") == of("C1CCCCC1") == []


def test_what_makes_no_sense_is_refused(butane):
    with pytest.raises(DesignError, match="no SMILES"):
        im.conformers("xx", progress=False)
    with pytest.raises(DesignError, match="in pieces"):
        im.conformers("C.C", progress=False)
    with pytest.raises(DesignError, match="SMILES or a structure"):
        im.conformers(3, progress=False)
    with pytest.raises(ArgumentError):
        im.conformers("C", seeds=0, progress=False)
    with pytest.raises(DesignError, match="unpaired electron"):
        im.conformers("[CH3]", progress=False)
    with pytest.raises(DesignError, match="open valence"):
        im.conformers("C*", progress=False)
    with pytest.raises(DesignError, match="no energy of .*knows only H, O"):
        im.conformers("CCO", im.load("water"), progress=False)
    with pytest.raises(DesignError, match="no conformer 7"):
        butane.why(7)
    with pytest.raises(DesignError, match="along a path"):
        butane.why(1, gauge="internal")
