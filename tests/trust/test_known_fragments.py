"""Which capped groups of a molecule the training data know, and what a cure labels of them."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

pytest.importorskip("rdkit", reason="groups need RDKit")

import interpmd as im
from interpmd.errors import ArgumentError, FragmentError, InterpmdError
from interpmd.trust.fragment_names import fragments_in
from interpmd.trust.known_fragments import KEPT, remember_fragments


def from_smiles(smiles: str, seed: int = 1) -> Atoms:
    from rdkit import Chem
    from rdkit.Chem import AllChem

    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    assert AllChem.EmbedMolecule(mol, randomSeed=seed) == 0
    AllChem.MMFFOptimizeMolecule(mol)
    numbers = [atom.GetAtomicNum() for atom in mol.GetAtoms()]
    charge = Chem.GetFormalCharge(mol)
    info = {"charge": charge} if charge else {}
    return Atoms(numbers, positions=mol.GetConformer().GetPositions(), info=info)


#: Propyl acetate in groups: CH3, C(=O)O, CH2, CH2, CH3.
ACETATE = {"C", "O=CO", "CC(=O)O", "CC", "COC=O", "COC(C)=O", "CCOC=O", "CCC"}


def test_fragments_of_an_ester():
    found = im.known_fragments(from_smiles("CCCOC(C)=O"), [])
    assert set(found.lacking) == ACETATE
    assert not found.covered
    assert found.to_frame().set_index("smiles").heavy_atoms["COC(C)=O"] == 5


@pytest.mark.parametrize(
    ("data", "lacking"),
    [
        (["CCCC", "COC(C)=O"], {"CCOC=O"}),
        (["CCCC", "CCOC(C)=O"], set()),
        (["CCCC"], {"O=CO", "CC(=O)O", "COC=O", "COC(C)=O", "CCOC=O"}),
    ],
)
def test_training_molecules_know_what_they_contain(data, lacking):
    frames = [from_smiles(smiles) for smiles in data]
    found = im.known_fragments(from_smiles("CCCOC(C)=O"), frames)
    assert set(found.lacking) == lacking
    assert found.covered == (not lacking)


def test_a_potential_that_comes_with_it_is_known_by_its_name():
    asked = from_smiles("CCO")
    by_name, usual = (im.known_fragments(asked, d) for d in ("small_molecules", None))
    assert by_name.lacking == usual.lacking
    assert by_name.table.equals(usual.table) and len(by_name.table)


def test_order_says_how_many_groups_stand_together():
    frames = [from_smiles("CCCC"), from_smiles("COC(C)=O")]
    asked = from_smiles("CCCOC(C)=O")
    assert im.known_fragments(asked, frames, order=2).covered
    assert im.known_fragments(asked, frames, order=4).lacking == ["CCOC=O", "CCCOC=O", "CCOC(C)=O"]
    with pytest.raises(ArgumentError, match="order"):
        im.known_fragments(asked, frames, order=0)


def test_two_groups_must_have_been_seen_together():
    data = [from_smiles("c1ccccc1"), from_smiles("CC")]
    assert im.known_fragments(from_smiles("Cc1ccccc1"), data).lacking == ["Cc1ccccc1"]


def test_conformers_of_a_molecule_are_one():
    asked = [from_smiles("CCCCO", seed) for seed in (1, 2, 3)]
    one, many = im.known_fragments(asked[0], []), im.known_fragments(asked, [])
    assert one.to_frame().equals(many.to_frame())
    assert [len(places) for places in many.places] >= [len(places) for places in one.places]


def test_charge_is_part_of_a_fragment():
    acetate, acid = from_smiles("CC(=O)[O-]"), from_smiles("CC(=O)O")
    assert "CC(=O)[O-]" in im.known_fragments(acetate, [acid]).lacking
    assert im.known_fragments(acetate, [acetate]).covered


def test_the_shipped_potential_is_asked_unless_another_is_named():
    ester, nitro = from_smiles("CCCOC(C)=O"), from_smiles("CCCCC[N+](=O)[O-]")
    assert im.known_fragments(ester).covered
    assert not im.known_fragments(nitro).covered
    named = im.load("small_molecules")
    assert im.known_fragments(nitro).lacking == im.known_fragments(nitro, named).lacking


def test_a_molecule_that_has_come_apart_teaches_no_fragment():
    broken = from_smiles("CCO")
    broken.positions[2] += 3.0
    assert fragments_in([broken]) == set()


def test_lacking_fragments_are_cut_out_and_closed_with_hydrogen():
    asked = from_smiles("CCCOC(C)=O")
    found = im.known_fragments(asked, [from_smiles("CCCC"), from_smiles("COC(C)=O")])
    parts = found.structures(each=4)
    assert [part.get_chemical_formula() for part in parts] == ["C3H6O2"] * 4
    heavy = asked.positions[asked.numbers > 1]
    cut = parts[0].positions[parts[0].numbers > 1]
    assert np.abs(cut[:, None] - heavy).sum(-1).min(1).max() < 1e-12  # as they stand in it
    assert parts[0].get_distance(3, 10) == pytest.approx(1.09)  # the cap on the acid's carbon
    moved = [np.abs(part.positions - part.positions.mean(0)).std() for part in parts]
    assert len({round(size, 6) for size in moved}) == 4
    with pytest.raises(ArgumentError, match="each"):
        found.structures(0)


def test_a_potential_names_the_fragments_of_its_data(tmp_path):
    frames = [from_smiles("CCCC"), from_smiles("COC(C)=O")]
    potential = im.load("alanine_dipeptide")
    asked = from_smiles("CCCOC(C)=O")
    with pytest.raises(FragmentError, match="remember_fragments"):
        im.known_fragments(asked, potential)
    remember_fragments(potential, frames)
    potential.save(tmp_path / "kept")
    kept = im.load(tmp_path / "kept")
    assert kept.card.provenance[KEPT]["smiles"] == sorted(fragments_in(frames))
    assert im.known_fragments(asked, kept).lacking == ["CCOC=O"]
    assert im.known_fragments(asked, kept, order=2).covered
    with pytest.raises(FragmentError, match="up to 3 groups"):
        im.known_fragments(asked, kept, order=4)


def test_what_is_lacking_is_said_and_drawn():
    found = im.known_fragments(from_smiles("CCCOC(C)=O"), [from_smiles("CCCC")])
    assert "3 of 8 fragments" in repr(found)
    assert "COC(C)=O" in repr(found)
    assert "<table" in found._repr_html_()
    formula, listed = found.plot()
    assert formula.get_title() == "C5H10O2"
    assert sum("lacking" in text.get_text() for text in listed.texts) == 5
    with pytest.raises(ArgumentError, match="structure 1"):
        found.plot(1)


def test_smiles_may_be_written_in_any_way():
    asked = from_smiles("CCOC")
    plain = im.known_fragments(asked, ["CCO", "COC", "C", "O", "CC", "CO"])
    other = im.known_fragments(asked, ["OCC", "C(OC)", "[CH4]", "O", "CC", "OC"])
    assert plain.table.known.sum() > 0
    assert other.table.known.tolist() == plain.table.known.tolist()
    with pytest.raises(FragmentError, match="neither SMILES"):
        im.known_fragments(asked, ["CCO", "not SMILES"])
    with pytest.raises(ArgumentError, match="needs the frames"):
        im.remember_fragments(im.load("water"), [])


def test_a_cure_labels_just_what_is_lacking(tmp_path):
    pytest.importorskip("tblite", reason="labels by GFN2-xTB")
    start = [molecule("CH3OH"), molecule("CH4"), molecule("C2H6")]
    geometries = [
        moved for atoms in start for moved in im.sample(atoms, "rattle", n=12, seed=3, stdev=0.05)
    ]
    train = [*im.label(geometries, progress=False), *im.isolated_atoms("CHO")]
    spec = {"weights": 200, "cutoff": 4.0, "channels": (8, 8), "lmax": (0, 2)}
    report = im.fit(train, spec=spec, progress=False)
    asked = from_smiles("CCOC")
    lacking = im.known_fragments(asked, train)
    assert lacking.lacking == ["CCO", "COC"]
    out = tmp_path / "cured"
    cured = im.cure(report, train, asked=asked, most=12, out=out, spec=spec, progress=False)
    labelled = im.read_frames(f"{out}-labels.extxyz")
    assert fragments_in(labelled) >= {"CCO", "COC"}
    assert len(labelled) == 12
    error = [np.abs(p.predict(asked).forces.numpy() - gfn2(asked)).mean()
             for p in (report.potential, cured.potential)]  # fmt: skip
    assert error[1] < 0.6 * error[0]
    with pytest.raises(InterpmdError, match="know all"):
        im.cure(report, [*train, *labelled], asked=asked, progress=False)
    with pytest.raises(ArgumentError, match="one of them"):
        im.cure(report, train, asked=asked, diagnosis=im.doctor(report.potential))


def gfn2(atoms: Atoms) -> np.ndarray:
    [labelled] = im.label([atoms], progress=False)
    return labelled.get_forces()
