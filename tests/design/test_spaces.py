"""Scaffolds, groups and molecules: what is built is what was meant, and bad input is named."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem

from interpmd.design.geometry import changed_bonds, first_guesses, torsion
from interpmd.design.groups import COMMON, groups_of_names
from interpmd.design.scaffold import marked, space_of
from interpmd.errors import DesignError

ENOL = "[O:11]=[C:12]([*:1])/[C:13]([*:2])=[C:14]([*:3])\\[O:15][H:16]"


def test_thirty_common_groups_are_thirty_different_molecules():
    groups = groups_of_names(None)
    assert len(COMMON) == 30 and len(groups) == 31
    space = space_of("[*:1]C")
    assert len({space.identity((g,)) for g in range(31)}) == 31
    assert space.smiles((0,)) == "C"
    assert space.smiles(space.design(["NO2"])) == "C[N+](=O)[O-]"
    assert space.smiles(space.design(["NHCOCH3"])) == "CNC(C)=O"


def test_groups_stand_where_they_are_meant_to_and_double_bonds_keep_their_sides():
    space = space_of(ENOL, ["CH3", "CN", "NO2"])
    smiles = space.smiles(space.design("CH3|CN|NO2"))
    wanted = Chem.CanonSmiles("CC(=O)/C(C#N)=C(/O)[N+](=O)[O-]")
    other = Chem.CanonSmiles("CC(=O)/C(C#N)=C(\\O)[N+](=O)[O-]")
    assert smiles in (wanted, other)
    # Z: the oxygen atoms on one side, as the scaffold says
    molecule = space.molecule(space.design("CH3|CN|NO2"))
    places = marked(molecule)
    atoms = first_guesses(molecule)[0]
    across = (places[12], places[13], places[14], places[15])
    assert abs(torsion(atoms, across)) < 40


def test_all_molecules_of_a_space_are_counted_and_named():
    space = space_of(ENOL, ["CH3", "F"], sites={1: ["CH3"], 3: ["F", "CN"]})
    assert len(space) == 2 * 1 * 3 == len(list(space.designs()))
    assert space.names((1, 0, 2)) == ("CH3", "H", "CN")
    assert space.design("CH3|H|CN") == (1, 0, 2) == space.design((1, 0, 2))


def test_choices_that_make_the_same_molecule_are_known():
    space = space_of("c1c([*:1])cc([*:2])cc1", ["F", "Cl"])
    assert space.twins == {
        (0, 1): ((0, 1), (1, 0)),
        (0, 2): ((0, 2), (2, 0)),
        (1, 2): ((1, 2), (2, 1)),
    }
    assert space.first_of((2, 1)) == (1, 2)
    assert space_of(ENOL, ["F"]).twins == {}


def test_own_groups_by_smiles_with_and_without_a_star():
    groups = groups_of_names({"ethyl": "*CC", "amide": "C(=O)N"})
    assert [g.name for g in groups] == ["H", "ethyl", "amide"]
    space = space_of("[*:1]c1ccccc1", {"amide": "C(=O)N"})
    assert space.smiles((1,)) == Chem.CanonSmiles("NC(=O)c1ccccc1")


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        (["CH3", "*C"], "are the same"),
        (["CH3", "CH3"], "given twice"),
        (["nonsense"], "no SMILES; names that are known"),
        (["*C*"], "one open valence"),
        (["*=C"], "one open valence"),
        (["*[NH3+]"], "charged"),
        ("CH3", "a list"),
        ({"H": "*F"}, "H is hydrogen"),
        ({"a|b": "*F"}, "no '|'"),
        (["H"], "at least one group"),
        (["[He]"], "no valence left"),
        (["*[CH2]"], "unpaired"),
    ],
)
def test_groups_that_make_no_sense_are_named(groups, words):
    with pytest.raises(DesignError, match=words.replace("|", r"\|")):
        groups_of_names(groups)


@pytest.mark.parametrize(
    ("scaffold", "words"),
    [
        ("c1ccccc1", "no site"),
        ("[*:1]CC[*:1]", "each once"),
        ("[*]CC", "numbered"),
        ("[*:1]=C", "one single bond"),
        ("[*:1]C[C:5]", "[CH:14]"),
        ("[*:1]C.C", "in pieces"),
        ("xyz", "no SMILES"),
        (3, "SMILES such as"),
    ],
)
def test_scaffolds_that_make_no_sense_are_named(scaffold, words):
    with pytest.raises(DesignError, match=words.replace("[", "\\[")):
        space_of(scaffold, ["F"])


def test_too_many_molecules_and_unknown_sites_are_refused():
    with pytest.raises(DesignError, match="more than 200000"):
        space_of("[*:1]CC([*:2])C([*:3])CC[*:4]")
    with pytest.raises(DesignError, match="no site 7"):
        space_of("[*:1]C", ["F"], sites=[7])
    with pytest.raises(DesignError, match="site 1 has no group 'Br'"):
        space_of("[*:1]C", ["F"]).design(["Br"])


def test_a_moved_proton_and_a_broken_bond_are_seen_and_a_hydrogen_bond_is_not():
    space = space_of(ENOL, ["F"])
    molecule = space.molecule((0, 0, 0))
    places = marked(molecule)
    chain = [places[k] for k in (16, 15, 14, 13)]
    shape = {tuple(chain): 0.0, tuple(places[k] for k in (11, 12, 13, 14)): 0.0}
    atoms = first_guesses(molecule, shape)[0]
    assert changed_bonds(molecule, atoms) is None
    proton, here, there = places[16], places[15], places[11]
    moved = atoms.copy()
    way = moved.positions[there] - moved.positions[here]
    moved.positions[proton] = moved.positions[here] + 0.45 * way  # strong, still at home
    assert changed_bonds(molecule, moved) is None
    moved.positions[proton] = moved.positions[here] + 0.6 * way
    assert changed_bonds(molecule, moved) == "the proton H5 moved from O4 to O0"
    moved = atoms.copy()
    moved.positions[there] += 2.0 * (moved.positions[there] - moved.positions[places[12]])
    assert changed_bonds(molecule, moved) == "the bond O0-C1 is broken"


def test_first_guesses_have_the_torsions_that_were_asked_for():
    molecule = space_of("[CH3:11][CH2:12][CH2:13][CH2:14][*:1]", ["F"]).molecule((1,))
    places = marked(molecule)
    four = tuple(places[k] for k in (11, 12, 13, 14))
    for angle in (60.0, 180.0):
        for atoms in first_guesses(molecule, {four: angle}, count=2):
            assert abs((torsion(atoms, four) - angle + 180) % 360 - 180) < 3
    again = first_guesses(molecule, {four: 60.0}, count=2)
    assert np.allclose(again[0].positions, first_guesses(molecule, {four: 60.0}, 2)[0].positions)
