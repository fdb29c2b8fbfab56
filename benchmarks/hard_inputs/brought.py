"""What people bring: other keys, partial labels, other containers, constraints, copies."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms, Hookean
from ase.db import connect
from ase.io import Trajectory, write

import interpmd as im
from hard_inputs.case import Case
from hard_inputs.labels import changed, fit, materials
from interpmd.demo import MALONALDEHYDE


def renamed(frames, **names):
    """Labels under other names: in info and arrays, none in the calculator."""
    made = []
    for atoms in frames:
        new = atoms.copy()
        results = atoms.calc.results
        for label, name in names.items():
            if label == "forces":
                new.arrays[name] = results[label]
            else:
                new.info[name] = results[label]
        made.append(new)
    return made


def without(frames, label, step=1):
    """Every so many frames without a label."""
    made = []
    for index, atoms in enumerate(frames):
        new = changed(atoms)
        if index % step == 0:
            new.calc.results.pop(label)
        made.append(new)
    return made


def cases() -> Iterator[Case]:
    """All cases of what people bring."""
    frames = materials()["malonaldehyde"]
    for energy, forces in (
        ("REF_energy", "REF_forces"),
        ("dft_energy", "dft_forces"),
        ("Energy", "force"),
        ("energy_ref", "gradient"),
    ):
        lost = renamed(frames, energy=energy, forces=forces)
        yield Case(
            f"labels called {energy} and {forces}",
            lambda lost=lost: fit(lost),
            f"{energy}.*{forces}|{forces}.*{energy}|has no energy",
        )
        keys = {"energy_key": energy, "forces_key": forces}
        if forces != "gradient":
            yield Case(
                f"labels called {energy} and {forces}, named",
                lambda lost=lost, keys=keys: _good(fit(lost, **keys)),
            )
    copper = materials()["strained copper"]
    for sign in (1, -1):
        virial = [changed(a) for a in copper]
        for atoms in virial:
            stress = atoms.calc.results.pop("stress")
            full = stress[[0, 5, 4, 5, 1, 3, 4, 3, 2]].reshape(3, 3)
            atoms.info["virial"] = -sign * atoms.get_volume() * full
        if sign == 1:
            yield Case("virial by its key", lambda virial=virial: _stress_learned(virial))
        else:
            yield Case(
                "virial of the other sign by its key",
                lambda virial=virial: fit(virial, stress_key="virial"),
                "sign",
            )
    yield Case(
        "a key that no frame has", lambda: fit(frames, energy_key="REF_energy"), "REF_energy"
    )
    yield Case("energies alone", lambda: _learned(without(frames, "forces")))
    yield Case("forces alone", lambda: fit(without(frames, "energy")), "without energy")
    yield Case("some forces missing", lambda: fit(without(frames, "forces", 4)), "without forces")
    holes = [
        changed(a, forces=lambda f: np.where(np.arange(len(f))[:, None] == 2, np.nan, f))
        for a in frames
    ]
    yield Case("forces NaN on some atoms", lambda: fit(holes), "forces of some atoms")
    infinite = [changed(a, forces=lambda f: f * np.inf) for a in frames]
    yield Case("forces infinite", lambda: fit(infinite), "not finite")
    flat = [changed(a, forces=lambda f: f.ravel()) for a in frames]
    yield Case("forces of another shape", lambda: fit(flat), "shape")
    yield from _containers(frames)
    yield from _constraints()
    yield from _copies()


def _learned(frames) -> bool:
    """Whether a fit leaves less than a quarter of the spread of the energies."""
    spread = 1e3 * np.std([a.calc.results["energy"] for a in frames])
    return fit(frames).errors().loc["train", "energy_rmse_meV"] < 0.25 * spread


def _good(report, most=5.0) -> bool:
    return report.errors().loc["train", "energy_rmse_meV"] < most


def _stress_learned(frames) -> bool:
    errors = fit(frames, stress_key="virial").errors().loc["train"]
    return errors["stress_rmse_meV/A^3"] < 5


def _containers(frames) -> Iterator[Case]:
    folder = Path(tempfile.mkdtemp())
    write(folder / "a.xyz", frames[:20], format="extxyz")
    write(folder / "b.xyz", frames[20:], format="extxyz")
    with Trajectory(folder / "t.traj", "w") as file:
        for atoms in frames:
            file.write(atoms)
    with connect(folder / "l.db") as database:
        for atoms in frames:
            database.write(atoms)
    write(folder / "topology.pdb", frames[0])
    sources = {
        "a list of files": [folder / "a.xyz", folder / "b.xyz"],
        "a pattern": str(folder / "?.xyz"),
        "a slice of a file": f"{folder}/t.traj@:40",
        "a trajectory of ASE": Trajectory(folder / "t.traj"),
        "a database of ASE": folder / "l.db",
        "a generator": (a for a in frames),
    }
    for name, source in sources.items():
        yield Case(f"fit to {name}", lambda source=source: _good(fit(source)))
    for name, source in (("sample", folder / "a.xyz"), ("label", f"{folder}/a.xyz@:2")):
        if name == "sample":
            yield Case(
                "sample from a file",
                lambda source=source: len(im.sample(source, how="rattle", n=3)) == 3,
            )
        else:
            yield Case(
                "label a slice by a calculator",
                lambda source=source: (
                    len(im.label(source, im.load("malonaldehyde").calculator(), progress=False))
                    == 2
                ),
            )
    yield Case(
        "evaluate a pattern",
        lambda: len(im.evaluate(im.load("malonaldehyde"), str(folder / "?.xyz")).energy) == 40,
    )
    yield Case("a pattern without files", lambda: fit(str(folder / "*.cif")), "no file")
    yield Case("a file that is not there", lambda: fit(folder / "c.xyz"), "no file")
    yield Case("a slice that is none", lambda: fit(f"{folder}/a.xyz@x:y"), "x:y|slice|index")
    (folder / "broken.xyz").write_text((folder / "a.xyz").read_text()[:-150])
    yield Case("a truncated file", lambda: fit(folder / "broken.xyz"), "truncated|cannot be read")
    yield Case("a folder", lambda: fit(folder), "folder|director|cannot be read")
    yield Case("numbers instead of structures", lambda: fit([1, 2, 3]), "structure|Atoms")
    yield Case(
        "explain a whole file",
        lambda: im.explain(im.load("malonaldehyde"), folder / "a.xyz"),
        "20|structure",
    )
    yield Case(
        "a file of one structure explained",
        lambda: abs(im.explain(im.load("malonaldehyde"), f"{folder}/a.xyz@0").residual) < 1e-8,
    )
    yield Case(
        "md to a name that it cannot write",
        lambda: im.simulate(
            im.load("malonaldehyde"), MALONALDEHYDE, steps=2, out=folder / "run.xyz", progress=False
        ),
        "traj",
    )


def _constraints() -> Iterator[Case]:
    potential = im.load("malonaldehyde")
    free = MALONALDEHYDE.copy()
    for name, constraint in {
        "FixAtoms": FixAtoms([8]),
        "Hookean": Hookean(8, 0, rt=0.5, k=20.0),
    }.items():
        held = MALONALDEHYDE.copy()
        held.set_constraint(constraint)
        parts = [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
        target = im.Force(8, along=0)
        for model in (potential, potential.calculator()):
            ask = partial(im.explain, model, target=target, fragments=parts, order=2)
            yield Case(
                f"{name} in an explanation, {type(model).__name__}",
                lambda ask=ask, held=held: (
                    abs(ask(atoms=held).total - ask(atoms=free).total) < 1e-8
                ),
            )

        def recorded(held=held):
            run = im.simulate(potential, held, steps=4, interval=2, seed=0, progress=False)
            return im.evaluate(potential, list(run)).summary()["force_rmse_meV/A"] < 1e-6

        yield Case(f"{name} in recorded forces", recorded)
    held = bulk("Cu", cubic=True) * (2, 2, 2)
    held.rattle(0.05, seed=0)
    held.set_constraint(FixAtoms(range(16)))

    def labels() -> bool:
        [found] = im.label([held], EMT(), progress=False)
        bare = held.copy()
        bare.set_constraint()
        bare.calc = EMT()
        return np.abs(found.calc.results["forces"] - bare.get_forces()).max() < 1e-9

    yield Case("FixAtoms in labels", labels)


def _energy(atoms: Atoms) -> float:
    return atoms.get_potential_energy()


def _copies() -> Iterator[Case]:
    potential = im.load("malonaldehyde")

    def attached(**options) -> Atoms:
        atoms = MALONALDEHYDE.copy()
        atoms.calc = potential.calculator(**options)
        return atoms

    right = float(potential.predict(MALONALDEHYDE).energy)
    for compiled in (False, True):

        def deep(compiled=compiled):
            atoms = attached(compile=compiled)
            atoms.get_potential_energy()
            twin = copy.deepcopy(atoms)
            twin.positions[0, 0] += 0.01
            return abs(twin.get_potential_energy() - float(potential.predict(twin).energy)) < 1e-8

        yield Case(f"deepcopy of a calculator, compile={compiled}", deep)
        yield Case(
            f"pickle of a calculator, compile={compiled}",
            lambda compiled=compiled: (
                abs(
                    pickle.loads(pickle.dumps(attached(compile=compiled))).get_potential_energy()
                    - right
                )
                < 1e-8
            ),
        )

    def spawned() -> bool:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            return abs(pool.apply(_energy, (attached(),)) - right) < 1e-8

    yield Case("a calculator in a spawned process", spawned)

    def far() -> bool:
        away = MALONALDEHYDE.copy()
        away.positions += 1e5
        single = im.load("malonaldehyde").calculator(precision="float32")
        near = MALONALDEHYDE.copy()
        near.calc, away.calc = single, single
        return np.abs(near.get_forces() - away.get_forces()).max() < 1e-3

    yield Case("float32 far from the origin", far)
    yield Case(
        "stress of a molecule",
        lambda: potential.predict(molecule("H2O"), stress=True),
        "stress|cell",
    )
    explanation = im.explain(potential, MALONALDEHYDE, im.Force(8, along=0), method="shapley")
    yield Case(
        "one explanation to shap",
        lambda: (
            np.abs(
                np.asarray(im.to_shap(explanation).values).ravel()
                - np.asarray(explanation.to_shap().values).ravel()
            ).max()
            < 1e-12
        ),
    )
    waters = materials()["malonaldehyde"]
    yield Case(
        "free energies beside energies", lambda: fit([_with_free(a) for a in waters]), "free energy"
    )


def _with_free(atoms: Atoms) -> Atoms:
    new = atoms.copy()
    results = dict(atoms.calc.results)
    new.calc = SinglePointCalculator(new, **results)
    new.calc.results["free_energy"] = results["energy"] - 0.3
    return new
