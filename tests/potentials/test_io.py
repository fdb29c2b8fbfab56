"""Potentials on disk: what comes back, and what is said about damaged folders."""

from __future__ import annotations

import json

import pytest
import torch
from ase.build import molecule

import interpmd as im
from interpmd.potentials import ClusterExpansion, Isolated, Potential
from interpmd.potentials.card import Card

WATER = molecule("H2O")


@pytest.fixture
def folder(tmp_path):
    term = ClusterExpansion.example()
    term.samples = torch.randn(*term.readout.shape, 4)
    potential = Potential(
        {"isolated": Isolated({"H": -1.0, "C": -2.0, "O": -3.0}), "expansion": term},
        card=Card(level="gfn2-xtb", provenance={"seed": 3}, errors={"test": {}}),
    )
    potential.save(tmp_path / "potential")
    return tmp_path / "potential"


def edit(folder, **changes):
    card = json.loads((folder / "potential.json").read_text())
    (folder / "potential.json").write_text(json.dumps(card | changes))


def test_everything_comes_back(folder):
    again = im.load(folder)
    assert again.card.level == "gfn2-xtb"
    assert again.card.provenance == {"seed": 3}
    assert again.terms["expansion"].samples.shape[-1] == 4
    assert sorted(f.name for f in folder.iterdir()) == ["potential.json", "weights.safetensors"]
    again.save(folder)
    assert float(im.load(folder).predict(WATER).energy) == float(again.predict(WATER).energy)


def test_no_such_potential(tmp_path):
    with pytest.raises(im.PotentialFileError, match=r"shipped: alanine_dipeptide, malon"):
        im.load("no-such-thing")
    (tmp_path / "file").write_text("x")
    with pytest.raises(im.PotentialFileError, match="is a file"):
        im.load(tmp_path / "file")


def test_a_folder_that_is_no_potential(tmp_path):
    with pytest.raises(im.PotentialFileError, match=r"not a potential: it has no potential\.json"):
        im.load(tmp_path)
    (tmp_path / "potential.json").write_text('{"format": "something else"}')
    with pytest.raises(im.PotentialFileError, match="does not describe an interpmd potential"):
        im.load(tmp_path)


def test_a_newer_version(folder):
    edit(folder, version=99)
    with pytest.raises(im.PotentialFileError, match=r"version 99.*upgrade interpmd"):
        im.load(folder)


def test_truncated_files(folder):
    weights = folder / "weights.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(im.PotentialFileError, match="damaged or truncated"):
        im.load(folder)
    weights.unlink()
    with pytest.raises(im.PotentialFileError, match=r"has no weights\.safetensors"):
        im.load(folder)
    card = (folder / "potential.json").read_text()
    (folder / "potential.json").write_text(card[:-40])
    with pytest.raises(im.PotentialFileError, match="damaged or truncated"):
        im.load(folder)


def test_unknown_terms_and_wrong_shapes(folder):
    card = json.loads((folder / "potential.json").read_text())
    terms = [t | {"kind": "magic"} for t in card["terms"]]
    edit(folder, terms=terms)
    with pytest.raises(im.PotentialFileError, match="unknown kind 'magic'"):
        im.load(folder)
    card["terms"][1]["config"]["channels"] = [3, 3, 2, 3]
    edit(folder, terms=card["terms"])
    with pytest.raises(im.PotentialFileError, match="has shape"):
        im.load(folder)


def test_foreign_folders_are_not_overwritten(tmp_path, folder):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("x")
    with pytest.raises(im.PotentialFileError, match="is not a potential; choose another"):
        im.load(folder).save(tmp_path / "thesis")
    assert [f.name for f in (tmp_path / "thesis").iterdir()] == ["chapter.tex"]


def test_a_full_disk_leaves_the_old_potential(folder, monkeypatch):
    before = (folder / "weights.safetensors").read_bytes()
    potential = im.load(folder)
    potential.terms["expansion"].readout.mul_(2)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("interpmd.potentials.folder.save_file", full)
    with pytest.raises(OSError, match="No space left"):
        potential.save(folder)
    assert (folder / "weights.safetensors").read_bytes() == before
    assert [f.name for f in folder.parent.iterdir()] == ["potential"]


@pytest.mark.parametrize("name", ["malonaldehyde", "water", "alanine_dipeptide"])
def test_shipped_potentials(name):
    table = im.shipped()
    assert table.loc[name, "size_MB"] < 5
    potential = im.load(name)
    assert potential.card.level
    assert table.loc[name, "force_rmse_meV/A"] > 0
    assert potential.card.errors["test_by_subset"]
