"""A potential's folder is whole: the altered is refused, the interrupted is old or new."""

from __future__ import annotations

import json
import os
import warnings
from dataclasses import replace
from itertools import count

import pytest
import torch
from ase.build import molecule
from killed import killed_at
from safetensors.torch import load_file, save_file
from small_disk import small_disk

import interpmd as im
from interpmd.potentials import ClusterExpansion, Isolated, Potential
from interpmd.potentials.card import Card
from interpmd.storage import locked

WATER = molecule("H2O")


def potential_of(level: str, factor: float) -> Potential:
    term = ClusterExpansion.example()
    term.readout.mul_(factor)
    term.samples = torch.randn(*term.readout.shape, 4, generator=torch.Generator().manual_seed(1))
    card = Card(level, {"seed": 3}, {"test": {"energy_rmse_meV": 1.5}}, [{"name": "x", "value": 1}])
    return Potential(
        {"isolated": Isolated({"H": -1.0, "C": -2.0, "O": -3.0}), "expansion": term}, card=card
    )


@pytest.fixture
def folder(tmp_path):
    potential_of("old", 1.0).save(tmp_path / "potential")
    return tmp_path / "potential"


def deeper(description: dict, *path, value) -> dict:
    """A copy with another value at the end of a path of keys."""
    copy = json.loads(json.dumps(description))
    place = copy
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return copy


MEANINGS = {
    "level": (("level",), "ccsd(t)/cbs"),
    "units": (("units", "energy"), "Hartree"),
    "errors": (("errors", "test", "energy_rmse_meV"), 0.1),
    "certificate": (("certificate", 0, "value"), 0),
    "certificate without a line": (("certificate",), []),
    "provenance": (("provenance", "seed"), 4),
    "cutoff": (("terms", 1, "config", "cutoff"), 3.9),
    "elements": (("elements",), [1, 8]),
    "elements of a term": (("terms", 1, "config", "elements"), [1, 7, 8]),
    "isolated atoms": (("terms", 0, "config", "energies", "1"), -2.0),
    "name of a term": (("terms", 1, "name"), "expansions"),
    "something more": (("note",), "x"),
    "seal": (("seal", "all"), "0" * 64),
    "seal of the weights": (("seal", "weights"), "0" * 64),
    "no seal": (("seal",), None),
}


@pytest.mark.parametrize("meaning", MEANINGS)
def test_an_altered_meaning_is_refused(folder, meaning):
    path, value = MEANINGS[meaning]
    card = folder / "potential.json"
    card.write_text(json.dumps(deeper(json.loads(card.read_text()), *path, value=value)))
    with pytest.raises(im.PotentialSealError, match="was altered after it was saved"):
        im.load(folder)


TENSORS = {
    "read-out": ("readout", lambda t: t * 1.01),
    "one bit": ("readout", lambda t: torch.nextafter(t, t + 1)),
    "swapped elements": ("readout", lambda t: t[[1, 0, 2]]),
    "nan": ("readout", lambda t: t * float("nan")),
    "int8": ("readout", lambda t: (t * 100).to(torch.int8)),
    "float32": ("readout", lambda t: t.float()),
    "zeroed samples": ("samples", torch.zeros_like),
    "no samples": ("samples", lambda t: t[..., :0]),
    "grade": ("grade_scale", lambda t: t * 10),
    "mixing": ("mixing", lambda t: -t),
}


@pytest.mark.parametrize("change", TENSORS)
def test_altered_weights_are_refused(folder, change):
    name, altered = TENSORS[change]
    tensors = load_file(folder / "weights.safetensors")
    key = f"terms.expansion.{name}"
    save_file(tensors | {key: altered(tensors[key]).contiguous()}, folder / "weights.safetensors")
    with pytest.raises(im.PotentialSealError, match="are not those that were saved"):
        im.load(folder)


def test_every_byte_of_the_weights_is_sealed(folder):
    path = folder / "weights.safetensors"
    whole = path.read_bytes()
    for place in range(0, len(whole), len(whole) // 60):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(im.PotentialSealError):
            im.load(folder)
    path.write_bytes(whole)
    assert im.load(folder).card.level == "old"


def test_weights_of_another_potential_are_refused(folder, tmp_path):
    potential_of("new", 1.5).save(tmp_path / "other")
    (tmp_path / "other" / "weights.safetensors").replace(folder / "weights.safetensors")
    with pytest.raises(im.PotentialSealError):
        im.load(folder)


def test_the_form_of_the_json_does_not_matter(folder):
    card = folder / "potential.json"
    card.write_text(json.dumps(dict(reversed(json.loads(card.read_text()).items()))))
    assert im.load(folder).card.level == "old"


def test_a_potential_of_an_earlier_release_loads_with_one_warning(folder):
    card = folder / "potential.json"
    description = json.loads(card.read_text()) | {"version": 1}
    del description["seal"]
    card.write_text(json.dumps(description))
    with pytest.warns(im.UnsealedWarning, match="carries no seal") as seen:
        potential = im.load(folder)
    assert len(seen) == 1
    potential.save(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        im.load(folder)


def test_shipped_potentials_are_sealed_by_a_command(folder, monkeypatch, capsys):
    # the import of the module of that name would hide the function
    monkeypatch.setattr(im, "shipped", im.shipped)
    from interpmd.shipped import make

    monkeypatch.setattr(make, "HERE", folder.parent)
    before = load_file(folder / "weights.safetensors")
    description = json.loads((folder / "potential.json").read_text()) | {"version": 1}
    del description["seal"]
    (folder / "potential.json").write_text(json.dumps(description))
    make.seal("potential")
    assert capsys.readouterr().out == "potential is sealed\n"
    again = json.loads((folder / "potential.json").read_text())
    assert {k: v for k, v in again.items() if k not in ("seal", "version")} == {
        k: v for k, v in description.items() if k != "version"
    }
    after = load_file(folder / "weights.safetensors")
    assert all(torch.equal(before[name], after[name]) for name in before | after)
    (folder / "potential.json").write_text(json.dumps(again | {"level": "x"}))
    with pytest.raises(im.PotentialSealError):
        make.seal("potential")


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("there", [False, True])
def test_a_kill_at_any_change_leaves_the_old_or_the_new(tmp_path, there, after):
    old, new = potential_of("old", 1.0), potential_of("new", 1.5)
    energies = {p.card.level: float(p.predict(WATER).energy) for p in (old, new)}
    seen = set()
    for step in count(1):
        folder = tmp_path / f"{step}"
        if there:
            old.save(folder)
        if not killed_at(step, lambda folder=folder: new.save(folder), after):
            break
        if there or (folder / "potential.json").exists():
            found = im.load(folder)
            assert float(found.predict(WATER).energy) == energies[found.card.level]
            assert found.card.errors == new.card.errors
            seen.add(found.card.level)
        new.save(folder)  # nothing of the killed one is in the way
        assert im.load(folder).card.level == "new"
        assert sorted(f.name for f in folder.iterdir()) == ["potential.json", "weights.safetensors"]
    assert step > 6
    assert seen == ({"old", "new"} if there else {"new"})


@pytest.mark.parametrize(("room", "level"), [(0, "old"), (4, "old"), (12, "old"), (48, "new")])
def test_a_full_disk_leaves_the_old_potential(tmp_path, room, level):
    new = potential_of("new", 1.5)
    with small_disk(tmp_path / "disk", 128 * 1024) as disk:
        folder, filler = disk / "potential", disk / "filler"
        potential_of("old", 1.0).save(folder)
        before = {f.name: f.read_bytes() for f in folder.iterdir()}
        with pytest.raises(OSError):
            filler.write_bytes(bytes(256 * 1024))
        os.truncate(filler, filler.stat().st_size - room * 1024)
        if level == "old":
            with pytest.raises(im.OutputError, match="cannot be written: .*was there is as it was"):
                new.save(folder)
            assert {f.name: f.read_bytes() for f in folder.iterdir()} == before
        else:
            new.save(folder)
        assert im.load(folder).card.level == level


def test_two_processes_do_not_write_one_folder(folder):
    with locked(folder / "potential.json"):
        with pytest.raises(
            im.OutputError, match=r"is being written by another call \(process \d+\)"
        ):
            potential_of("new", 1.5).save(folder)
        assert im.load(folder).card.level == "old"
    potential_of("new", 1.5).save(folder)
    assert im.load(folder).card.level == "new"


def test_a_card_is_changed_by_loading_and_saving(folder):
    potential = im.load(folder)
    potential.card = replace(potential.card, level="gfn2-xtb")
    potential.save(folder)
    assert im.load(folder).card.level == "gfn2-xtb"


def test_a_foreign_file_of_the_same_name_is_left_alone(tmp_path):
    mine = tmp_path / "mine" / "potential.json"
    mine.parent.mkdir()
    mine.write_text("what I think of potentials\n")
    with pytest.raises(im.PotentialFileError, match="is not a potential"):
        potential_of("new", 2.0).save(mine.parent)
    assert mine.read_text() == "what I think of potentials\n"
