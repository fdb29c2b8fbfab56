"""Runs that stop and go on: nothing lost, nothing made twice, failures kept apart."""

import json
import subprocess
import sys
import warnings

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.io import read, write

from interpmd.errors import CalculationError, LevelMismatchError, StructureError
from interpmd.levels.xtb import XTB
from interpmd.reference import label
from interpmd.reference.store import content_hash, sections


def waters(n: int = 5) -> list[Atoms]:
    frames = []
    for seed in range(n):
        atoms = molecule("H2O")
        atoms.rattle(0.05, seed=seed)
        atoms.info = {"number": seed}
        frames.append(atoms)
    return frames


@pytest.fixture
def evaluations(monkeypatch):
    """The structures that tight binding was asked for; those with a Li atom fail."""
    asked = []
    evaluate = XTB.evaluate

    def counting(self, atoms, charge=0, multiplicity=1):
        asked.append(atoms.get_chemical_formula())
        if "Li" in atoms.symbols:
            raise CalculationError("SCF not converged")
        return evaluate(self, atoms, charge, multiplicity)

    monkeypatch.setattr(XTB, "evaluate", counting)
    return asked


def test_labels_are_read_back_by_ase(tmp_path):
    out = tmp_path / "w.extxyz"
    labelled = label(waters(3), out=out, progress=False)
    found = read(out, index=":")
    assert [a.info["number"] for a in labelled] == [a.info["number"] for a in found] == [0, 1, 2]
    for ours, theirs in zip(labelled, found, strict=True):
        assert theirs.get_potential_energy() == ours.get_potential_energy()
        np.testing.assert_allclose(theirs.get_forces(), ours.get_forces(), atol=1e-8)
        assert theirs.info["level"] == "gfn2-xtb"
        assert theirs.info["code"].startswith("tblite ")
    energies = [a.get_potential_energy() for a in labelled]
    assert len(set(energies)) == 3
    assert all(-138.1 < e < -137.4 for e in energies)


@pytest.mark.parametrize("lost", [1, 30, 170, 330])
def test_resume_after_a_kill_gives_the_same_file(tmp_path, evaluations, lost):
    out = tmp_path / "w.extxyz"
    label(waters(), out=out, progress=False)
    whole = out.read_bytes()
    frame = len(whole) // 5
    out.write_bytes(whole[:-lost])
    del evaluations[:]
    labelled = label(waters(), out=out, progress=False)
    assert out.read_bytes() == whole
    assert len(evaluations) == (lost > 1) + lost // (frame + 5)  # a line end alone is no loss
    assert [a.info["number"] for a in labelled] == [0, 1, 2, 3, 4]


def test_every_cut_leaves_whole_frames_and_a_broken_one(tmp_path):
    out = tmp_path / "w.extxyz"
    label(waters(2), out=out, progress=False)
    whole = out.read_bytes()
    first = whole.index(b"\n3\n") + 1
    for cut in range(len(whole) + 1):
        blocks, rest, torn = sections(whole[:cut])
        # the line end may be missing, and a zero that ends the last number
        text = whole[:cut].rstrip(b"\n")
        expected = sum(
            text.startswith(whole[: end - 1].rstrip(b"0")) for end in (first, len(whole))
        )
        assert len(blocks) == expected
        assert rest == b""
        assert torn == (b"" if expected == 2 or cut == first else whole[first * expected : cut])


def test_second_run_computes_nothing_and_a_longer_list_only_what_is_new(tmp_path, evaluations):
    out = tmp_path / "w.extxyz"
    label(waters(3), out=out, progress=False)
    label(waters(3), out=out, progress=False)
    assert len(evaluations) == 3
    again = label(list(reversed(waters(5))), out=out, progress=False)
    assert len(evaluations) == 5
    assert [a.info["number"] for a in again] == [4, 3, 2, 1, 0]


def test_same_structure_twice_is_computed_once(evaluations):
    first, second = waters(1) + waters(1)
    second.info["number"] = 7
    labelled = label([first, second], progress=False)
    assert len(evaluations) == 1 and len(labelled) == 2
    assert labelled[0].get_potential_energy() == labelled[1].get_potential_energy()


def test_failures_are_kept_apart_and_tried_again(tmp_path, evaluations):
    out = tmp_path / "w.extxyz"
    frames = waters(3)
    frames.insert(1, molecule("LiH"))
    with pytest.warns(UserWarning, match="1 frame has no label.*SCF not converged.*frame 1"):
        labelled = label(frames, out=out, progress=False)
    assert [a.info["number"] for a in labelled] == [0, 1, 2]
    assert len(read(out, index=":")) == 3
    failures = tmp_path / "w.extxyz.failed.jsonl"
    [record] = [json.loads(line) for line in failures.read_text().splitlines()]
    assert record["index"] == 1
    assert record["reason"] == "CalculationError: SCF not converged"
    assert record["hash"] == content_hash(frames[1], "gfn2-xtb", 0, 1)

    with pytest.warns(UserWarning, match="SCF not converged"):
        label(frames, out=out, progress=False, retry_failed=False)
    assert evaluations.count("HLi") == 1
    with pytest.warns(UserWarning, match="SCF not converged"):
        label(frames, out=out, progress=False)
    assert evaluations.count("HLi") == 2
    assert len(failures.read_text().splitlines()) == 1


def test_a_success_removes_the_failure(tmp_path, monkeypatch):
    out = tmp_path / "w.extxyz"
    with monkeypatch.context() as broken:
        broken.setattr(XTB, "evaluate", lambda *a: (_ for _ in ()).throw(CalculationError("no")))
        with pytest.warns(UserWarning, match="no label"):
            assert label(waters(1), out=out, progress=False) == []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(label(waters(1), out=out, progress=False)) == 1
    assert not (tmp_path / "w.extxyz.failed.jsonl").exists()


def test_two_workers_give_what_one_gives(tmp_path):
    one = label(waters(6), out=tmp_path / "one.extxyz", progress=False)
    two = label(waters(6), out=tmp_path / "two.extxyz", workers=2, progress=False)
    for a, b in zip(one, two, strict=True):
        assert a.info == b.info
        assert a.get_potential_energy() == pytest.approx(b.get_potential_energy(), abs=1e-9)
        np.testing.assert_allclose(a.get_forces(), b.get_forces(), atol=1e-8)
    files = [read(tmp_path / f"{name}.extxyz", index=":") for name in ("one", "two")]
    assert [[a.info["number"] for a in f] for f in files] == [list(range(6))] * 2


def test_another_level_in_the_file_is_an_error(tmp_path):
    out = tmp_path / "w.extxyz"
    label(waters(1), "gfn1-xtb", out=out, progress=False)
    with pytest.raises(LevelMismatchError, match="labelled at 'gfn1-xtb', not at 'gfn2-xtb'"):
        label(waters(1), "gfn2-xtb", out=out, progress=False)


def test_a_compressed_file_cannot_grow(tmp_path):
    with pytest.raises(ValueError, match="cannot be compressed"):
        label(waters(1), out=tmp_path / "w.extxyz.gz", progress=False)


def test_a_file_is_as_good_as_a_list(tmp_path):
    write(tmp_path / "in.extxyz", waters(2))
    from_file = label(tmp_path / "in.extxyz", progress=False)
    from_list = label(waters(2), progress=False)
    for a, b in zip(from_file, from_list, strict=True):
        assert a.get_potential_energy() == pytest.approx(b.get_potential_energy(), abs=1e-6)


def test_hash_depends_on_everything_that_the_energy_depends_on():
    atoms = molecule("H2O")
    key = content_hash(atoms, "gfn2-xtb", 0, 1)
    moved, other, periodic = atoms.copy(), atoms.copy(), atoms.copy()
    moved.positions[0, 0] += 1e-5
    other.numbers[0] = 16
    periodic.set_cell([9, 9, 9])
    periodic.pbc = True
    keys = {key, content_hash(atoms, "gfn1-xtb", 0, 1), content_hash(atoms, "gfn2-xtb", 1, 1)}
    keys |= {content_hash(atoms, "gfn2-xtb", 0, 3)}
    keys |= {content_hash(a, "gfn2-xtb", 0, 1) for a in (moved, other, periodic)}
    assert len(keys) == 7
    atoms.positions[1, 0] = -0.0
    assert content_hash(atoms, "gfn2-xtb", 0, 1) == key


def test_structures_that_cannot_be_labelled_are_named():
    overlap = molecule("H2O")
    overlap.positions[2] = overlap.positions[0] + [0, 0, 0.2]
    with pytest.raises(StructureError, match=r"frame 1: atoms 0 \(O\) and 2 \(H\).*0\.200 Å"):
        label([molecule("H2O"), overlap], progress=False)
    broken = molecule("H2O")
    broken.positions[1, 2] = np.nan
    with pytest.raises(StructureError, match=r"frame 0: .*atom 1 \(H\).*not finite"):
        label(broken, progress=False)
    with pytest.raises(StructureError, match="no atoms"):
        label(Atoms(), progress=False)
    image = Atoms("H", cell=[0.2, 9, 9], pbc=True)
    with pytest.raises(StructureError, match="overlap"):
        label(image, multiplicity=2, progress=False)


def test_invalid_structures_can_be_skipped(tmp_path):
    broken = molecule("H2O")
    broken.positions[1, 2] = np.inf
    out = tmp_path / "w.extxyz"
    with pytest.warns(UserWarning, match="not finite"):
        labelled = label([broken, *waters(2)], out=out, invalid="skip", progress=False)
    assert [a.info["number"] for a in labelled] == [0, 1]
    assert "not finite" in (tmp_path / "w.extxyz.failed.jsonl").read_text()


def test_unconverged_scf_is_a_failure(monkeypatch):
    from pyscf.scf import hf

    monkeypatch.setattr(hf.SCF, "max_cycle", 1)
    with pytest.warns(UserWarning, match="SCF not converged"):
        assert label(molecule("H2O"), "pbe/sto-3g", progress=False) == []


def test_second_order_solver_finishes_what_diis_does_not(monkeypatch):
    from pyscf.scf import hf

    [usual] = label(molecule("H2O"), "pbe/sto-3g", progress=False)
    monkeypatch.setattr(hf.SCF, "max_cycle", 4)
    [rescued] = label(molecule("H2O"), "pbe/sto-3g", progress=False)
    assert rescued.get_potential_energy() == pytest.approx(usual.get_potential_energy(), abs=1e-7)
    np.testing.assert_allclose(rescued.get_forces(), usual.get_forces(), atol=1e-4)


def test_processes_that_label_load_no_torch():
    program = "import sys, interpmd.reference.labelling; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
