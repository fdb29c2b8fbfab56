"""Time and files: nothing is lost, half written or altered; text from data is no markup."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from ase.io import read
from killed import killed_at
from safetensors.torch import load_file, save_file
from small_disk import small_disk

import interpmd as im
from hard_inputs.case import Case
from hard_inputs.labels import fit, materials
from interpmd.demo import MALONALDEHYDE


def cases() -> Iterator[Case]:
    """All cases of files."""
    yield from _times()
    yield from _label_files()
    yield from _folders()
    yield from _markup()


def _times() -> Iterator[Case]:
    potential = im.load("malonaldehyde")

    def run(**settings):
        return im.simulate(potential, MALONALDEHYDE, seed=0, progress=False, **settings)

    yield Case(
        "times of a run shorter than its interval",
        lambda: np.allclose(run(steps=5, interval=10).times, [0, 2.5]),
    )
    yield Case(
        "times of a run off its grid",
        lambda: np.allclose(run(steps=25, interval=10).times, [0, 5, 10, 12.5]),
    )
    for ensemble in ("nve", "nvt"):
        for first, last, interval in ((25, 40, 10), (5, 40, 10), (7, 21, 3), (20, 40, 10)):

            def same(ensemble=ensemble, first=first, last=last, interval=interval) -> bool:
                out = Path(tempfile.mkdtemp()) / "run.traj"
                settings = {"ensemble": ensemble, "interval": interval}
                run(steps=first, out=out, **settings)
                resumed, whole = run(steps=last, out=out, **settings), run(steps=last, **settings)
                return np.array_equal(resumed[-1].positions, whole[-1].positions)

            yield Case(f"{ensemble} resumed at {first} of {last}, interval {interval}", same)
    for lost in (1, 100, 700):

        def torn(lost=lost) -> bool:
            out = Path(tempfile.mkdtemp()) / "run.traj"
            run(steps=20, interval=5, out=out)
            os.truncate(out, out.stat().st_size - lost)
            return np.array_equal(
                run(steps=20, interval=5, out=out)[-1].positions,
                run(steps=20, interval=5)[-1].positions,
            )

        yield Case(f"a trajectory torn {lost} bytes before its end", torn)

    def other_settings():
        out = Path(tempfile.mkdtemp()) / "run.traj"
        run(steps=10, out=out)
        run(steps=20, out=out, timestep=0.25)

    yield Case(
        "a run resumed with another time step", other_settings, "settings|time_step|timestep"
    )

    def foreign():
        out = Path(tempfile.mkdtemp()) / "run.traj"
        out.write_text("12 things to do\n")
        run(steps=10, out=out)

    yield Case("a run into a foreign file", foreign, "trajectory|run.traj")


def _label_files() -> Iterator[Case]:
    frames = [a.copy() for a in materials()["malonaldehyde"][:8]]

    def label(some, out, level="gfn2-xtb"):
        return im.label(some, level, out=out, progress=False)

    for name, text in {
        "notes.md": "12 things to do\n- a\n",
        "notes.extxyz": "hello\n",
        "data.json": "{}\n",
    }.items():

        def kept(name=name, text=text) -> bool:
            out = Path(tempfile.mkdtemp()) / name
            out.write_text(text)
            try:
                label(frames[:1], out)
            except im.InterpmdError:
                return out.read_text() == text
            return False

        yield Case(f"labels into a foreign file, {name}", kept)

    def mended(change) -> bool:
        out = Path(tempfile.mkdtemp()) / "l.extxyz"
        label(frames, out)
        change(out)
        label(frames[:2], out)
        label(frames, out)
        return len(read(out, ":")) >= len(frames)

    def blank(out):
        lines = out.read_text().splitlines(keepends=True)
        size = int(lines[0]) + 2
        out.write_text("".join([*lines[: 3 * size], "\n", *lines[3 * size :]]))

    def garbage(out):
        lines = out.read_text().splitlines(keepends=True)
        size = int(lines[0]) + 2
        out.write_text("".join([*lines[: 3 * size], "what is this\n", *lines[3 * size :]]))

    def torn(out):
        os.truncate(out, out.stat().st_size - 40)

    for name, change in {
        "a blank line": blank,
        "a strange line": garbage,
        "a torn end": torn,
    }.items():
        yield Case(f"{name} in a file of labels", lambda change=change: mended(change))

    def altered():
        out = Path(tempfile.mkdtemp()) / "l.extxyz"
        label(frames, out)
        text = out.read_text()
        place = text.index("energy=") + 8
        out.write_text(text[:place] + ("1" if text[place] != "1" else "2") + text[place + 1 :])
        fit(out)

    yield Case("a label altered in its file", altered, "altered|seal|changed")

    def other_level():
        out = Path(tempfile.mkdtemp()) / "l.extxyz"
        label(frames[:1], out)
        label(frames[:2], out, "gfn1-xtb")

    yield Case("labels of another level in one file", other_level, "gfn2-xtb")


def _folders() -> Iterator[Case]:
    def saved() -> Path:
        folder = Path(tempfile.mkdtemp()) / "potential"
        im.load("malonaldehyde").save(folder)
        return folder

    def weights(change):
        folder = saved()
        tensors = load_file(folder / "weights.safetensors")
        key = next(k for k in tensors if k.endswith("readout"))
        tensors[key] = change(tensors[key])
        save_file(tensors, folder / "weights.safetensors")
        im.load(folder)

    import torch

    for name, change in {
        "scaled by 1.01": lambda t: t * 1.01,
        "NaN": lambda t: t * float("nan"),
        "int8": lambda t: t.to(torch.int8),
        "zero": lambda t: t * 0,
        "of another shape": lambda t: t[..., :-1].contiguous(),
    }.items():
        yield Case(
            f"weights {name} in a saved potential",
            lambda change=change: weights(change),
            "altered|seal|changed|weights",
        )

    def meaning(change):
        folder = saved()
        path = folder / "potential.json"
        about = json.loads(path.read_text())
        change(about)
        path.write_text(json.dumps(about))
        im.load(folder)

    def nested(about, key, value):
        for term in about["terms"]:
            if key in term.get("config", {}):
                term["config"][key] = value

    for name, change in {
        "level": lambda j: j.update(level="ccsd(t)/cbs"),
        "units": lambda j: j.update(units={"energy": "Hartree"}),
        "errors": lambda j: j.update(errors={"test": {"energy_rmse_meV": 0.01}}),
        "certificate": lambda j: j.update(certificate=[]),
        "elements": lambda j: j.update(elements=[1, 6, 7]),
        "cutoff": lambda j: nested(j, "cutoff", 4.0),
        "channels": lambda j: nested(j, "channels", [1_000_000] * 4),
        "lmax": lambda j: nested(j, "lmax", 60),
    }.items():
        yield Case(
            f"{name} altered in a saved potential",
            lambda change=change: meaning(change),
            "altered|seal|changed|too|large|size",
        )

    def over(name):
        folder = Path(tempfile.mkdtemp()) / "mine"
        folder.mkdir()
        (folder / name).write_text("mine\n")
        im.load("malonaldehyde").save(folder)

    for name in ("thesis.tex", "potential.json"):
        yield Case(
            f"a potential saved over a folder with {name}",
            lambda name=name: over(name),
            "mine|folder|potential",
        )
    explanation = im.explain(im.load("malonaldehyde"), MALONALDEHYDE, im.Force(8, along=0))

    def edited():
        out = Path(tempfile.mkdtemp()) / "e.npz"
        explanation.save(out)
        with np.load(out, allow_pickle=False) as file:
            arrays = dict(file)
        arrays["values"] = arrays["values"] * 1.1
        np.savez(out, **arrays)
        im.load_explanation(out)

    yield Case("values altered in a saved explanation", edited, "altered|seal|changed|holds no")
    yield Case("a fit onto a full disk", _full, "was not saved.*the fit is")
    yield Case("a fit onto a full disk, kept by the error", _kept)
    for step in range(1, 30, 4):
        for after in (False, True):
            name = f"saving over a potential, killed {'after' if after else 'before'} change {step}"
            yield Case(name, lambda step=step, after=after: _old_or_new(step, after))
    frames = materials()["malonaldehyde"][:3]

    def cannot():
        fit(frames * 3, out="/proc/nowhere/potential")

    yield Case("a fit into a place that cannot be written", cannot, "cannot be written")


def _full():
    with small_disk(Path(tempfile.mkdtemp()) / "tiny", 40 * 1024) as folder:
        fit(materials()["malonaldehyde"], out=folder / "potential")


def _kept() -> bool:
    try:
        _full()
    except im.OutputError as error:
        return error.report is not None and len(error.report.errors()) > 0
    return False


def _old_or_new(step: int, after: bool) -> bool:
    """Whether what a killed process leaves is the old potential or the new one, all of it."""
    folder = Path(tempfile.mkdtemp()) / "potential"
    old, new = im.load("malonaldehyde"), im.load("malonaldehyde")
    old.save(folder)
    new.terms["expansion"].readout.mul_(1.5)
    new.card = replace(new.card, level="new level")
    killed_at(step, lambda: new.save(folder), after)
    left = im.load(folder)
    as_new = left.card.level == "new level"
    right = (new if as_new else old).predict(MALONALDEHYDE).energy
    return abs(float(left.predict(MALONALDEHYDE).energy - right)) < 1e-9


EVIL = ("<img src=x onerror=alert(1)>", "<!--<script>", "</script><script>alert(1)</script>")


def _markup() -> Iterator[Case]:
    for evil in EVIL:
        potential = im.load("malonaldehyde")
        potential.card = replace(potential.card, level=evil)

        def escaped(potential=potential, evil=evil) -> bool:
            text = str(getattr(potential, "_repr_html_", lambda: "")() or "")
            return evil not in text

        yield Case(f"{evil} as level, in a potential", escaped)

        def report(evil=evil) -> bool:
            frames = [a.copy() for a in materials()["argon"]]
            for atoms, old in zip(frames, materials()["argon"], strict=True):
                atoms.calc = old.calc
                atoms.info["subset"] = evil
            return evil not in fit(frames, level=evil)._repr_html_()

        yield Case(f"{evil} as level and subset, in a report", report)

        def page(evil=evil) -> bool:
            atoms = MALONALDEHYDE.copy()
            atoms.info["comment"] = atoms.info["name"] = evil
            model = im.load("malonaldehyde")
            model.card = replace(model.card, level=evil)
            out = Path(tempfile.mkdtemp()) / "page.html"
            im.ForceExplorer(model, [atoms]).save(out)
            return evil not in out.read_text()

        yield Case(f"{evil} in an exported page", page)
