"""Potentials on disk: what comes back, and what is said about damaged folders."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from ase.build import molecule
from safetensors.torch import load_file, save_file

import interpmd as im
from interpmd.levels.classical import KCAL
from interpmd.potentials import ClusterExpansion, Isolated, Potential
from interpmd.potentials.card import Card
from interpmd.potentials.folder import LATER, is_sealed, read_card, sealed

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
    """Change a description and seal it again, as a program with a fault of its own would."""
    card = json.loads((folder / "potential.json").read_text()) | changes
    card = sealed(card, (folder / "weights.safetensors").read_bytes())
    (folder / "potential.json").write_text(json.dumps(card))


def rewrite(folder, **changes):
    """Change tensors and seal the folder again."""
    tensors = load_file(folder / "weights.safetensors") | changes
    save_file(tensors, folder / "weights.safetensors")
    edit(folder)


def test_everything_comes_back(folder):
    again = im.load(folder)
    assert again.card.level == "gfn2-xtb"
    assert again.card.provenance == {"seed": 3}
    assert again.terms["expansion"].samples.shape[-1] == 4
    assert sorted(f.name for f in folder.iterdir()) == ["potential.json", "weights.safetensors"]
    again.save(folder)
    assert float(im.load(folder).predict(WATER).energy) == float(again.predict(WATER).energy)


@pytest.mark.parametrize("later", sorted(LATER))
def test_a_folder_of_an_earlier_release_lacks_what_came_later(folder, later):
    fresh = ClusterExpansion.example().state_dict()[later]
    tensors = load_file(folder / "weights.safetensors")
    tensors[f"terms.expansion.{later}"] += 1.0
    rewrite(folder, **tensors)
    assert not torch.equal(im.load(folder).terms["expansion"].state_dict()[later], fresh)
    del tensors[f"terms.expansion.{later}"]
    save_file(tensors, folder / "weights.safetensors")
    edit(folder)
    assert torch.equal(im.load(folder).terms["expansion"].state_dict()[later], fresh)


def test_no_such_potential(tmp_path):
    with pytest.raises(im.PotentialFileError, match=r"shipped: alanine_dipeptide, copper, malon"):
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


def test_numbers_that_are_wrong_by_themselves(folder):
    readout = load_file(folder / "weights.safetensors")["terms.expansion.readout"]
    for wrong, words in (
        (readout * float("nan"), "is not finite"),
        ((readout * 100).to(torch.int8), r"is of type torch\.int8, and should be torch\.float64"),
    ):
        rewrite(folder, **{"terms.expansion.readout": wrong})
        with pytest.raises(im.PotentialFileError, match=words):
            im.load(folder)


def test_weights_and_description_agree(folder):
    table = load_file(folder / "weights.safetensors")["terms.isolated.table"]
    rewrite(folder, **{"terms.isolated.table": table * 1.001})
    with pytest.raises(im.PotentialFileError, match="table says something else than potential"):
        im.load(folder)
    rewrite(folder, **{"terms.isolated.table": table})
    edit(folder, elements=[1, 7])
    with pytest.raises(im.PotentialFileError, match=r"elements \(1, 7\), and its terms know"):
        im.load(folder)


def test_other_units_are_refused(folder):
    edit(folder, units={"energy": "Hartree"})
    with pytest.raises(im.PotentialFileError, match="a potential of interpmd is in"):
        im.load(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"channels": [1_000_000] * 4}, r"mixing of 1000000 channels would hold 3\.6e.07 numbers"),
        ({"lmax": [0, 60, 60, 60]}, "lmax is a whole number, 0 or more and at most 6"),
        ({"functions": 100_000}, "would hold"),
        ({"basis": 10**9}, "would hold"),
        ({"channels": ["many"]}, "channels are 1 to 4 positive numbers"),
        ({"cutoff": float("nan")}, "cutoff must be positive"),
        ({"wings": 2}, "unexpected keyword"),
    ],
)
def test_oversize_and_senseless_terms_are_refused_before_they_are_built(folder, change, words):
    card = json.loads((folder / "potential.json").read_text())
    card["terms"][1]["config"] |= change
    edit(folder, terms=card["terms"])
    started = time.process_time()
    with pytest.raises(im.PotentialFileError, match=words):
        im.load(folder)
    assert time.process_time() - started < 1


def test_weights_that_are_not_finite_are_not_saved(folder):
    potential, before = im.load(folder), (folder / "potential.json").read_bytes()
    potential.terms["expansion"].readout[0, 0] = float("inf")
    with pytest.raises(im.ArgumentError, match="readout of the potential is not finite"):
        potential.save(folder)
    assert (folder / "potential.json").read_bytes() == before


def test_foreign_folders_are_not_overwritten(tmp_path, folder):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("x")
    with pytest.raises(im.PotentialFileError, match="is not a potential; choose another"):
        im.load(folder).save(tmp_path / "thesis")
    assert [f.name for f in (tmp_path / "thesis").iterdir()] == ["chapter.tex"]


@pytest.mark.parametrize(
    "name",
    [
        "alanine_dipeptide",
        "copper",
        "malonaldehyde",
        "small_molecules",
        "small_molecules_gfnff",
        "water",
    ],
)
def test_shipped_potentials(name):
    table = im.shipped()
    assert table.loc[name, "size_MB"] < 8
    potential = im.load(name)
    assert potential.card.level
    assert table.loc[name, "force_rmse_meV/A"] > 0
    assert potential.card.errors["test_by_subset"]
    assert is_sealed(read_card(Path(im.__file__).parent / "shipped" / name))


def test_a_corrected_force_field_carries_over_to_molecules_it_has_not_seen():
    """Torsion profiles of molecules of seven and more heavy atoms; it has seen six at most."""
    pytest.importorskip("gfnff")
    pytest.importorskip("rdkit")
    data = Path(__file__).parents[2] / "data" / "small_molecules" / "profiles.extxyz.gz"
    potential = im.load("small_molecules_gfnff")
    errors: dict[str, list[float]] = {}
    for atoms in im.read_frames(data):
        error = float(potential.predict(atoms).energy) - atoms.get_potential_energy()
        errors.setdefault(atoms.info["molecule"], []).append(error)
    each = [np.abs(np.array(some) - np.mean(some)).mean() / KCAL for some in errors.values()]
    assert len(each) == 11
    assert np.mean(each) < 0.5  # GFN-FF alone: 0.65


def test_what_a_corrected_force_field_lacks_is_said(monkeypatch):
    pytest.importorskip("rdkit")
    monkeypatch.setitem(sys.modules, "gfnff", None)
    potential = im.load("small_molecules_gfnff")
    with pytest.raises(im.errors.MissingPackageError, match=r"interpmd\[forcefields\]"):
        potential.predict(molecule("CH3CH2OH"))
