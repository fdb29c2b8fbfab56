"""Label files: of others, broken, altered, full disks, two writers; and workers that die."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from itertools import count
from pathlib import Path

import pytest
from ase.build import molecule
from ase.io import read, write
from jobs_that_die import dies_always, dies_once, square, waits
from killed import killed_at
from small_disk import small_disk

import interpmd as im
from interpmd.reference import label
from interpmd.reference.workers import Killed, in_order
from interpmd.storage import locked


def waters(n=5):
    frames = []
    for seed in range(n):
        atoms = molecule("H2O")
        atoms.rattle(0.05, seed=seed)
        atoms.info = {"number": seed}
        frames.append(atoms)
    return frames


@pytest.fixture
def out(tmp_path):
    label(waters(), out=tmp_path / "w.extxyz", progress=False)
    return tmp_path / "w.extxyz"


def blocks(path: Path) -> list[str]:
    """The frames of a file of waters as text."""
    lines = path.read_text().splitlines(keepends=True)
    return ["".join(lines[n : n + 5]) for n in range(0, len(lines), 5)]


@pytest.mark.parametrize(
    "text", ["12 things to do\n- a\n", "# notes\n", "12\nthings\n- a\n", "\n\nx", "3\nmy own\n"]
)
def test_a_file_of_others_is_refused_and_left_as_it_is(tmp_path, text):
    notes = tmp_path / "notes.md"
    notes.write_text(text)
    with pytest.raises(im.LevelMismatchError, match=r"notes\.md exists and holds no labels"):
        label(waters(1), out=notes, progress=False)
    assert notes.read_text() == text
    assert [f.name for f in tmp_path.iterdir()] == ["notes.md"]


def test_frames_without_labels_are_refused_and_left_as_they_are(tmp_path):
    write(tmp_path / "mine.extxyz", waters())
    before = (tmp_path / "mine.extxyz").read_bytes()
    with pytest.raises(im.LevelMismatchError, match="labelled at None"):
        label(waters(1), out=tmp_path / "mine.extxyz", progress=False)
    assert (tmp_path / "mine.extxyz").read_bytes() == before


@pytest.mark.parametrize("place", range(6))
@pytest.mark.parametrize("inside", ["\n", "\n\n  \n"])
def test_blank_lines_lose_nothing(out, place, inside):
    whole = out.read_bytes()
    parts = blocks(out)
    out.write_text("".join([*parts[:place], inside, *parts[place:]]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(label(waters(2), out=out, progress=False)) == 2
    assert out.read_bytes() == whole
    assert [f.name for f in out.parent.iterdir()] == ["w.extxyz"]


def test_training_does_not_stop_at_a_blank_line(out):
    parts = blocks(out)
    out.write_text("".join([*parts[:2], "\n", *parts[2:]]))
    assert len(im.read_frames(out)) == 5
    out.write_text("1\n\nH 0 0 0\n\n \n1\n\nHe 0 0 1\n\n")  # comments may be blank
    assert [str(a.symbols) for a in im.read_frames(out)] == ["H", "He"]
    assert [str(a.symbols) for a in im.read_frames(f"{out}@-1")] == ["He"]


@pytest.mark.parametrize(
    "junk",
    [
        "<<<<<<< mine\n",
        "7\n",
        '9\nProperties=species:S:1:pos:R:3 pbc="F F F"\nH 0 0\n',
        "7 things\n",
    ],
)
@pytest.mark.parametrize("place", [0, 2])
def test_what_is_no_frame_is_kept_beside(out, place, junk):
    whole = out.read_bytes()
    parts = blocks(out)
    out.write_text("".join([*parts[:place], junk, *parts[place:]]))
    with pytest.warns(UserWarning, match=r"belong to no frame; they are kept in .*unreadable"):
        label(waters(), out=out, progress=False)
    assert out.read_bytes() == whole
    assert (out.parent / "w.extxyz.unreadable").read_text() == junk


def test_a_frame_broken_in_the_middle_is_made_again(out):
    parts = blocks(out)
    out.write_text("".join([*parts[:2], parts[2][:150], *parts[3:]]))
    with pytest.warns(UserWarning, match="belong to no frame"):
        again = label(waters(), out=out, progress=False)
    assert [a.info["number"] for a in again] == [0, 1, 2, 3, 4]
    assert sorted(a.info["number"] for a in read(out, ":")) == [0, 1, 2, 3, 4]


def test_a_lost_line_end_loses_no_frame(out):
    whole = out.read_bytes()
    out.write_bytes(whole.rstrip(b"\n"))
    label(waters(1), out=out, progress=False)
    assert out.read_bytes() == whole


ALTERED = {
    "an energy": ("energy=-13", "energy=-14"),
    "a level": ("level=gfn2-xtb", "level=wb97x"),
    "an element": ("\nO ", "\nS "),
    "a coordinate": (" 0.", " 1."),
    "a charge": ("charge=0", "charge=1"),
    "a code": ('code="tblite ', 'code="pyscf '),
    "a name": ("label_hash=h", "label_hash=hh"),
}


@pytest.mark.parametrize("what", ALTERED)
def test_altered_labels_are_refused(out, what):
    parts = blocks(out)
    old, new = ALTERED[what]
    assert old in parts[3]
    out.write_text("".join([*parts[:3], parts[3].replace(old, new, 1), parts[4]]))
    before = out.read_bytes()
    with pytest.raises(im.LabelSealError, match=r"frame 3 was altered after it was labelled"):
        im.read_frames(out)
    with pytest.raises((im.LabelSealError, im.LevelMismatchError), match="frame 3 was"):
        label(waters(), out=out, progress=False)
    assert out.read_bytes() == before


def test_seals_stay_in_files_and_survive_another_writer(out, tmp_path):
    for atoms in [*label(waters(), out=out, progress=False), *im.read_frames(out)]:
        assert "label_seal" not in atoms.info
    write(tmp_path / "again.extxyz", read(out, ":"))
    assert "label_seal=s" in (tmp_path / "again.extxyz").read_text()
    assert len(im.read_frames(tmp_path / "again.extxyz")) == 5


def test_labels_of_the_release_before_go_on_with_one_warning(out):
    frames = im.read_frames(out)
    write(out, frames)
    with pytest.warns(im.UnsealedWarning, match="5 frames of .* carry no seal") as seen:
        assert len(label(waters(6), out=out, progress=False)) == 6
    assert len(seen) == 1


def test_two_calls_do_not_write_one_file(out):
    before = out.read_bytes()
    with locked(out), pytest.raises(im.OutputError, match="written by another call"):
        label(waters(6), out=out, progress=False)
    assert out.read_bytes() == before
    assert len(label(waters(6), out=out, progress=False)) == 6


def test_failures_that_cannot_be_read_are_kept(out):
    path = out.parent / "w.extxyz.failed.jsonl"
    path.write_text('{"hash": "h1", "reason": "x", "index": 9}\nnot json\n[1]\n{"hash": "h2", "re')
    label(waters(6), out=out, progress=False)
    assert path.read_text().splitlines()[1:3] == ["not json", "[1]"]


def test_a_full_disk_keeps_what_is_labelled(tmp_path):
    with small_disk(tmp_path / "disk", 8 * 1024) as disk:
        with pytest.raises(im.OutputError, match="cannot be written") as caught:
            label(waters(60), out=disk / "w.extxyz", progress=False)
        shutil.copy(disk / "w.extxyz", tmp_path / "w.extxyz")
    stored = im.read_frames(tmp_path / "w.extxyz")
    assert 3 < len(stored) < 60
    assert len(caught.value.report) == len(stored) + 1  # the one that found no room
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(label(waters(60), out=tmp_path / "w.extxyz", progress=False)) == 60


@pytest.mark.parametrize("after", [False, True])
def test_a_kill_at_any_change_loses_no_label(tmp_path, after):
    source = tmp_path / "source.extxyz"
    label(waters(4), out=source, progress=False)
    parts = blocks(source)
    for step in count(1):
        out = tmp_path / f"{step}.extxyz"
        out.write_text("".join([*parts[:2], "junk\n", *parts[2:]]))
        work = lambda out=out: label(waters(5), out=out, progress=False)  # noqa: E731
        if not killed_at(step, work, after):
            break
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert len(label(waters(5), out=out, progress=False)) == 5
        assert sorted(a.info["number"] for a in read(out, ":")) == [0, 1, 2, 3, 4]
        assert "junk\n" in (tmp_path / f"{step}.extxyz.unreadable").read_text()
    assert step > 5


def names(n):
    return [f"frame {i}" for i in range(n)]


def test_jobs_come_in_order():
    jobs = [(n,) for n in range(20)]
    assert list(in_order(square, jobs, 2, names(20))) == [n * n for n in range(20)]


def test_a_killed_process_is_replaced_and_its_job_done_again(tmp_path):
    jobs = [(n, str(tmp_path / "mark")) for n in range(9)]
    with pytest.warns(UserWarning, match=r"killed \(out of memory\?\).*frame 3.*tried again"):
        assert list(in_order(dies_once, jobs, 2, names(9))) == [n * n for n in range(9)]


def test_a_job_that_kills_twice_is_named_and_costs_no_other():
    jobs = [(n,) for n in range(9)]
    with pytest.warns(UserWarning, match="frame 3"):
        results = list(in_order(dies_always, jobs, 2, names(9)))
    assert isinstance(results.pop(3), Killed)
    assert results == [n * n for n in range(9) if n != 3]


def test_no_process_outlives_a_kill(tmp_path):
    program = (
        f"import sys; sys.path[:0] = [{str(Path(__file__).parent)!r}]\n"
        "from jobs_that_die import waits\n"
        "from interpmd.reference.workers import in_order\n"
        "if __name__ == '__main__':\n"
        f"    list(in_order(waits, [(n, {str(tmp_path)!r}) for n in range(2)], 2, ['a', 'b']))\n"
    )
    script = tmp_path.parent / f"{tmp_path.name}.py"
    script.write_text(program)
    home = str(Path(im.__file__).parents[1])
    parent = subprocess.Popen([sys.executable, str(script)], env=os.environ | {"PYTHONPATH": home})
    deadline = time.monotonic() + 300
    while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    workers = [int(f.name) for f in tmp_path.iterdir()]
    assert len(workers) == 2 and waits.__name__ == "waits"
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 60
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(alive, workers))


def alive(process: int) -> bool:
    with contextlib.suppress(OSError):
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z"
    with contextlib.suppress(OSError):
        os.kill(process, 0)
        return not Path("/proc").exists()
    return False
