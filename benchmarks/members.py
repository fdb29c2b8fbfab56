"""Two members beside one fit, on molecules for which nothing was chosen.

python benchmarks/members.py FOLDER

Dynamics by GFN2-xTB at 300 K are learned, and other runs at 300 and 600 K tested. Of each molecule
there are half as many labels again as one fit has weights. Labels are kept in FOLDER, so that a run
that was stopped goes on.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from acetylacetone import milliseconds
from ase import Atoms
from ase.io import write
from rdkit.Chem import AddHs as add_hydrogens
from results import record

import interpmd as im
from interpmd.design.geometry import guesses
from interpmd.design.scaffold import parsed
from interpmd.reference.trajectories import langevin

LEVEL = "gfn2-xtb"

#: Molecules of three elements, of which one fit has 15,000 weights, and training frames of each.
MOLECULES = {
    "ethanol": ("CCO", 800),
    "propane-1,2-diol": ("CC(O)CO", 560),
    "butylamine": ("CCCCN", 460),
}

#: Test frames of each temperature (K), and steps of 0.5 fs between frames.
TESTED, KELVINS, BETWEEN = 150, (300, 600), 50


def frames_of(folder: Path, name: str, what: str, n: int, kelvin: int, seed: int) -> list[Atoms]:
    """Frames of one run from the lowest conformer of a force field, with energies and forces."""
    file = folder / f"{name}_{what}.extxyz"
    if not file.exists():
        _, begin = guesses(add_hydrogens(parsed(MOLECULES[name][0])), 20, seed=0)[0]
        run = {"n": n, "temperature": float(kelvin), "seed": seed, "interval": BETWEEN}
        write(file, im.label(langevin(begin, LEVEL, equilibration=2000, **run), LEVEL))
    return im.read_frames(file)


def data_of(folder: Path, name: str) -> tuple[list[Atoms], dict[int, list[Atoms]]]:
    """Training frames, and those of tests by temperature."""
    folder.mkdir(parents=True, exist_ok=True)
    train = frames_of(folder, name, "train", MOLECULES[name][1], 300, 0)
    tests = {k: frames_of(folder, name, f"test_{k}", TESTED, k, k) for k in KELVINS}
    return train, tests


def measured(train: list[Atoms], tests: dict[int, list[Atoms]], **how: int | None) -> str:
    """Errors at each temperature, time of a fit and of a call."""
    began = time.process_time()
    fitted = im.fit(train, isolated_energies="average", progress=False, **how).potential
    minutes = (time.process_time() - began) / 60
    errors = [im.evaluate(fitted, t, progress=False).summary() for t in tests.values()]
    forces = " / ".join(f"{each['force_rmse_meV/A']:.1f}" for each in errors)
    call = milliseconds(fitted, train[0])
    return f"{forces} meV/Å ({minutes:.1f} min of processors, {call:.2f} ms a call)"


def main(folder: Path) -> None:
    command = "python benchmarks/members.py FOLDER"
    for name, (_, count) in MOLECULES.items():
        train, tests = data_of(folder, name)
        train = [train[k] for k in np.random.default_rng(0).permutation(len(train))]
        one, two = (measured(train, tests, members=members, refine=0) for members in (1, 2))
        told = f"members, {name}, {count} frames of 300 K, 300 / 600 K"
        record({told: f"one {one}; two {two}"}, command)


def arguments(words: str) -> argparse.Namespace:
    """What the command line gives."""
    parser = argparse.ArgumentParser(description=words)
    parser.add_argument("folder", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main(**vars(arguments(__doc__)))
