"""Molecules fall into groups that a chemist would name, and no cut leaves a radical."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.io import read

pytest.importorskip("rdkit", reason="groups need RDKit")

from rdkit import Chem
from rdkit.Chem import AllChem

from interpmd.demo import MALONALDEHYDE
from interpmd.errors import ArgumentError, FragmentError, StructureError
from interpmd.structures.fragments import fragments_of
from interpmd.structures.groups import groups_of, placed
from interpmd.structures.skeleton import skeleton_of, uncut

DATA = Path(__file__).parents[2] / "data"


def from_smiles(smiles: str) -> Atoms:
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    assert AllChem.EmbedMolecule(mol, randomSeed=1) == 0
    numbers = [atom.GetAtomicNum() for atom in mol.GetAtoms()]
    atoms = Atoms(numbers, positions=mol.GetConformer().GetPositions())
    if charge := Chem.GetFormalCharge(mol):
        atoms.info["charge"] = charge
    return atoms


def apart(*structures: Atoms) -> Atoms:
    """Molecules side by side, 6 Å from each other."""
    together = Atoms()
    for index, atoms in enumerate(structures):
        moved = atoms.copy()
        moved.positions += [6.0 * index, 0, 0] - moved.positions.mean(0)
        together += moved
    return together


def malonaldehyde_with_its_proton_on_the_other_oxygen() -> Atoms:
    """The mirror image of the chelate, atoms in the same order."""
    atoms = MALONALDEHYDE.copy()
    o_far, o_near = sorted(
        np.flatnonzero(atoms.numbers == 8), key=lambda o: -atoms.get_distance(o, 8)
    )
    oxygens = atoms.get_distance(o_far, o_near)
    toward = atoms.get_distance(o_far, 8, vector=True)
    atoms.positions[8] = atoms.positions[o_far] + 1.0 * toward / np.linalg.norm(toward)
    assert oxygens < 2.8
    return atoms


@pytest.mark.parametrize(
    ("smiles", "names"),
    [
        (
            "CC(=O)NC(C)C(=O)NC",
            ["CH3(0)", "C=O(1)", "NH(3)", "CH", "CH3(5)", "C=O(6)", "NH(8)", "CH3(9)"],
        ),
        ("CCCC", ["CH3(0)", "CH2(1)", "CH2(2)", "CH3(3)"]),
        ("FCCF", ["F(0)", "CH2(1)", "CH2(2)", "F(3)"]),
        ("NCC(=O)O", ["NH2", "CH2", "COOH"]),
        ("CC1CCCCC1", ["CH3", "cyclohexyl"]),
        ("OC=CC=O", ["OH", "CH=CH", "CHO"]),
        ("Cc1ccccc1", ["CH3", "phenyl"]),
        ("Cc1ccccc1C#N", ["CH3", "benzene ring", "C≡N"]),
        ("C[N+](=O)[O-]", ["CH3", "NO2"]),
        ("O=[N+]([O-])c1ccccc1", ["NO2", "phenyl"]),
        ("CN=[N+]=[N-]", ["CH3", "N3"]),
        ("COC(=O)c1ccncc1", ["CH3", "COO", "pyridyl"]),
        ("CS(=O)(=O)O", ["CH3", "SO3H"]),
        ("FC(F)(F)CO", ["CF3", "CH2", "OH"]),
        ("C=CC=C", ["CH2=CH", "CH=CH2"]),
        ("CC=NC", ["CH3(0)", "CH=N", "CH3(3)"]),
        ("Cc1c[nH]cn1", ["CH3", "C3H3N2 ring"]),
        ("O", ["H2O"]),
        ("[H][H]", ["H2"]),
    ],
)
def test_names_that_a_student_knows(smiles, names):
    assert list(groups_of(from_smiles(smiles)).names) == names


@pytest.mark.parametrize(
    ("smiles", "charged"),
    [
        ("[NH3+]CC(=O)[O-]", {"NH3+": 1, "COO-": -1}),
        ("CC(=O)[O-]", {"COO-": -1}),
        ("C[NH3+]", {"NH3+": 1}),
        ("NC(=[NH2+])NCC", {"guanidinium": 1}),
        ("C[N+](C)(C)CC(=O)[O-]", {"N+": 1, "COO-": -1}),
        ("Cc1ccccc1[O-]", {"C6H4O ring-": -1}),
        ("C[N+](=O)[O-]", {}),
        ("CS(=O)(=O)[O-]", {"SO3-": -1}),
    ],
)
def test_charges_stay_where_chemists_write_them(smiles, charged):
    found = groups_of(from_smiles(smiles))
    assert {n: q for n, q in zip(found.names, found.charges, strict=True) if q} == charged


def test_every_group_is_closed_shell_and_they_form_a_tree():
    for smiles in ("CC(=O)NC(C)C(=O)NC", "CC(=O)OC(C)C#N", "C[NH2+]CC(=O)[O-]", "CP(=O)(O)OC"):
        atoms = from_smiles(smiles)
        found = groups_of(atoms)
        assert sorted(a for group in found.groups for a in group) == list(range(len(atoms)))
        assert nx.is_tree(nx.Graph(found.links))
        for k, (members, charge) in enumerate(zip(found.groups, found.charges, strict=True)):
            cuts = sum(k in link for link in found.links)
            assert (atoms.numbers[list(members)].sum() - charge + cuts) % 2 == 0
        for i, j in found.cuts:
            assert atoms.numbers[i] > 1 and atoms.numbers[j] > 1


def test_several_molecules_and_their_charges():
    found = groups_of(apart(from_smiles("CC(=O)[O-]"), from_smiles("[NH4+]"), molecule("H2O")))
    assert found.names == ("CH3", "COO-", "NH4+", "H2O")
    assert found.charges == (0, -1, 1, 0)
    assert found.molecules == ((0, 1), (2,), (3,))
    cresolate = groups_of(apart(from_smiles("Cc1ccccc1[O-]"), from_smiles("[NH4+]")))
    assert cresolate.charges == (0, -1, 1)
    salt = groups_of(apart(Atoms("Na"), Atoms("Cl"), molecule("H2O")))
    assert salt.names == ("Na+", "Cl-", "H2O")


def test_labels_walk_along_the_bonds():
    found = groups_of(from_smiles("CC(=O)NC(C)C(=O)NC"))
    assert found.label([6, 5, 3, 2, 1]) == "C=O(1) · NH(3) · CH · C=O(6) · NH(8)"
    frame = found.to_frame()
    assert frame["atoms"].map(len).sum() == 22
    assert frame["molecule"].eq(0).all()


def test_groups_of_the_user():
    atoms = molecule("C2H6")
    methyls = [[0, 2, 3, 4], [1, 5, 6, 7]]
    assert groups_of(atoms, methyls).names == ("CH3(0)", "CH3(1)")
    named = groups_of(atoms, {"tail": methyls[1], "head": methyls[0]})
    assert named.names == ("head", "tail")
    assert groups_of(atoms, [range(8)]).cuts == ()


@pytest.mark.parametrize(
    ("smiles", "groups", "words"),
    [
        ("CC1CCCCC1", [[1, 2], None], "C1-C6, in a ring"),
        ("C=CC", [[0, 3, 4], None], "C0-C1, a double bond"),
        ("CC#N", [[2], None], "C1-N2, a triple bond"),
        ("Cc1ccccc1", [[1], None], "C1-C2, aromatic"),
        ("CO", [[5], None], "O1-H5, a bond to hydrogen"),
        ("C[N+](=O)[O-]", [[3], None], "N1-O3, a bond between opposite formal charges"),
        ("CO", [[0, 1], [0, 2, 3, 4, 5]], "atom C0 is in two groups"),
        ("CO", [[0, 2, 3, 4]], "2 atoms are in no group (O1, H5)"),
        ("CO", [[0, 2, 3, 4], [1, 5], []], "a group without atoms"),
        ("CO", [[0, 9]], "there is no atom 9: atoms are 0 to 5"),
        ("CO", "methyl", "groups are lists of atoms"),
        ("COC", [[0, 2, 3, 4, 5, 6, 7, 8], [1]], "the group of C0 and C2 is in 2 pieces"),
    ],
)
def test_groups_that_make_no_molecules_are_refused(smiles, groups, words):
    atoms = from_smiles(smiles)
    if groups[-1] is None:
        taken = groups[0]
        groups = [taken, [a for a in range(len(atoms)) if a not in taken]]
    with pytest.raises(ArgumentError) as told:
        groups_of(atoms, groups)
    assert words in str(told.value)


def test_bonds_to_metals_are_not_cut():
    atoms = from_smiles("CC")
    atoms.symbols[0] = "Zn"
    atoms.set_distance(0, 1, 1.95, mask=[0, 1, 0, 0, 0, 1, 1, 1])
    skeleton = skeleton_of([atoms], bonds=[(0, 1), (0, 2), (0, 3), (0, 4), (1, 5), (1, 6), (1, 7)])
    assert "a bond to Zn, which no hydrogen" in uncut(skeleton)[0, 1]


def test_charges_that_cannot_be_assigned():
    with pytest.raises(StructureError, match=r"no Lewis structure.*\(CH3, CH3\).*charges="):
        groups_of(_charged(from_smiles("CC"), 1))
    with pytest.raises(StructureError, match=r"group CH2 .* has an unpaired electron"):
        groups_of(from_smiles("CC")[:-1])
    with pytest.raises(StructureError, match="whole number"):
        groups_of(_charged(from_smiles("CC"), 0.5))
    with pytest.raises(ArgumentError, match="1 charges for 2 groups"):
        groups_of(from_smiles("CC"), charges=[0])


def _charged(atoms: Atoms, charge: float) -> Atoms:
    atoms.info["charge"] = charge
    return atoms


def test_charges_of_the_user_follow_their_groups():
    atoms = from_smiles("CC(=O)[O-]")
    atoms.info.clear()
    rest, carboxylate = [0, 4, 5, 6], [1, 2, 3]
    found = groups_of(atoms, [carboxylate, rest], charges=[-1, 0])
    assert found.charges == (0, -1)  # in order of first atoms: the methyl group comes first


def test_a_proton_that_jumps_belongs_to_the_ring_in_every_frame():
    here = MALONALDEHYDE
    there = malonaldehyde_with_its_proton_on_the_other_oxygen()
    assert sorted(groups_of(here).names) == ["CH=CH", "CHO", "OH"]
    frozen = groups_of([here, there])
    assert frozen.names == ("chelate ring",)
    assert groups_of([there, here]) == frozen
    for frame in (here, there):
        assert np.array_equal(placed(frozen, frame), frame.positions)
    with pytest.raises(StructureError, match=r"bond O\d-H8 of the groups is broken.*all frames"):
        placed(groups_of(here), there)


def test_a_proton_right_between_two_atoms_is_bonded_to_both():
    """Bonds of the same length to both sides: the nearest is not defined, the groups are."""
    water = molecule("H2O")
    other = water.copy()
    other.rotate(180, "x")
    other.positions += [0, 0, 2.4 + 2 * water.positions[0, 2]]
    zundel = water + other + Atoms("H", positions=[water.positions[0] + [0, 0, 1.2]])
    zundel.info["charge"] = 1
    found = groups_of(zundel)
    assert found.names == ("H5O2+",)
    assert found.charges == (1,)


def test_a_proton_that_moves_between_molecules_joins_them():
    acid, water = from_smiles("[NH3+]C"), molecule("H2O")
    proton = 2
    nitrogen = acid.positions[0]
    along = acid.positions[proton] - nitrogen
    along /= np.linalg.norm(along)
    water.rotate([0, 0, -1], along)
    water.positions += nitrogen + 2.6 * along - water.positions[0]
    before = acid + water
    before.info["charge"] = 1
    after = before.copy()
    after.positions[proton] = nitrogen + 1.6 * along
    assert groups_of(before).names == ("NH3+", "CH3", "H2O")
    assert groups_of(after).names == ("NH2", "CH3", "H3O+")
    both = groups_of([before, after])
    assert sorted(both.charges) == [0, 1]
    assert [len(g) for g in both.groups] == [7, 4]
    assert both.molecules == ((0, 1),)


def test_a_bond_that_is_double_in_one_frame_is_cut_in_none():
    """An amide that takes a proton at its oxygen turns its C-N bond into a double one."""
    amide, hydronium = from_smiles("CC(=O)NC"), from_smiles("[OH3+]")
    carbon, oxygen = amide.positions[[1, 2]]
    along = (oxygen - carbon) / np.linalg.norm(oxygen - carbon)
    proton = len(amide) + 1
    hydronium.rotate(hydronium.positions[1] - hydronium.positions[0], -along)
    hydronium.positions += oxygen + 2.6 * along - hydronium.positions[0]
    before = amide + hydronium
    before.info["charge"] = 1
    after = before.copy()
    after.positions[proton] = oxygen + 1.0 * along
    assert groups_of(before).names == ("CH3(0)", "C=O", "NH", "CH3(4)", "H3O+")
    both = groups_of([before, after])
    assert both == groups_of([after, before])
    assert [len(group) for group in both.groups] == [4, 8, 4]


def test_groups_are_the_same_in_every_frame_of_the_data():
    with gzip.open(DATA / "alanine_dipeptide" / "test.extxyz.gz", "rt") as file:
        frames = read(io.StringIO(file.read()), ":", format="extxyz")
    whole = groups_of(frames)
    assert len(whole) == 8
    assert {groups_of(frame) for frame in frames} == {whole}
    longest = max(frame.get_distance(*pair) for frame in frames for pair in ((5, 15), (9, 20)))
    assert longest > 1.4  # stretched beyond the rule for a bond, and no broken bond
    for frame in frames:
        placed(whole, frame)


def test_molecules_in_a_cell_are_put_together():
    atoms = from_smiles("CCO")
    cut = atoms.copy()
    cut.set_cell([9.0, 10.0, 11.0])
    cut.pbc = True
    cut.positions += [0.0, 5.0, 5.0] - cut.positions[1]
    before = cut.positions.copy()
    cut.wrap()
    assert not np.allclose(cut.get_all_distances(), atoms.get_all_distances(), atol=0.1)
    found = groups_of(cut)
    assert found.names == ("CH3", "CH2", "OH")
    positions = placed(found, cut)
    assert np.allclose(positions - positions[0], before - before[0], atol=1e-10)


def test_other_atoms_and_crystals_are_refused():
    found = groups_of(molecule("C2H6"))
    with pytest.raises(StructureError, match="made for"):
        placed(found, molecule("C2H4"))
    with pytest.raises(StructureError, match="crystal"):
        groups_of(bulk("Si", cubic=False))
    chain = Atoms("CO", positions=[[0, 0, 0], [1.4, 0, 0]], cell=[2.8, 9, 9], pbc=True)
    with pytest.raises(StructureError, match=r"crystal"):
        groups_of(chain)
    with pytest.raises(StructureError, match="frame 1"):
        groups_of([molecule("C2H6"), molecule("C2H4")])
    with pytest.raises(StructureError, match="at least one"):
        groups_of([])
    with pytest.raises(ArgumentError, match=r"no bond \(0, 9\)"):
        groups_of(molecule("H2O"), bonds=[(0, 9)])


def test_bond_lengths_decide_where_no_lewis_structure_is_found():
    atoms = from_smiles("C=CC=C")
    neutral = skeleton_of([atoms])
    assert neutral.order((0, 1)) == 2 and neutral.order((1, 2)) == 1
    atoms.info["charge"] = 3
    by_length = skeleton_of([atoms])
    assert by_length.charges == (None,)
    assert by_length.order((0, 1)) == 2 and by_length.order((1, 2)) == 1


def test_what_rdkit_says_itself_is_not_heard_before_a_good_message(capfd):
    with pytest.raises(FragmentError, match="neither 'molecules', 'residues' nor a SMARTS"):
        fragments_of(molecule("CH3OH"), "C(=")
    radical = molecule("CH3OH")[1:]  # no bond orders
    assert len(fragments_of(radical, "[#8]")) >= 1
    said = capfd.readouterr()
    assert said.err == "" and said.out == ""
