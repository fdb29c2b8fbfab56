"""3-(Benzyloxy)pyridin-2-amine, 27 atoms and four elements: fit at 300 K, test up to 1,200 K.

python benchmarks/benzyloxypyridinamine.py FOLDER [--members K | --random]

The molecule of Kovács et al., J. Chem. Theory Comput. 17, 7696 (2021): frames of dynamics by a
force field, 100 fs apart, labelled by GFN2-xTB. Five conformers with 100 frames each at 300 K are
learned; tests are other runs from these conformers, and one from another. Labels are kept in
FOLDER, so that a run that was stopped goes on.
"""

from __future__ import annotations

import resource
import time
from pathlib import Path

import numpy as np
from acetylacetone import arguments_of_a_fit, milliseconds, named
from ase import Atoms
from ase.io import write
from rdkit.Chem import AddHs as add_hydrogens
from results import record

import interpmd as im
from interpmd.design.geometry import guesses
from interpmd.design.scaffold import parsed
from interpmd.reference.trajectories import langevin

SMILES, LEVEL = "Nc1ncccc1OCc1ccccc1", "gfn2-xtb"

#: What moves the atoms, and steps of 0.5 fs before the first frame and between frames.
MOVER, BEFORE, BETWEEN = "mmff94", 2000, 200

#: Conformers of the training frames, and frames of each; one more is for tests.
CONFORMERS, EACH = 5, 100

#: Å, by which a distance between heavy atoms differs in two conformers.
APART = 0.5

#: Test frames of each conformer by temperature (K).
TESTED, KELVINS = 20, (300, 600, 1200)


def starts() -> list[Atoms]:
    """Different conformers of a force field, the lowest ones first."""
    kept, known = [], []
    for _, atoms in guesses(add_hydrogens(parsed(SMILES)), 40, seed=0):
        heavy = atoms[atoms.numbers > 1].get_all_distances()
        if all(np.abs(heavy - other).max() > APART for other in known):
            kept.append(atoms)
            known.append(heavy)
    return kept


def frames_of(folder: Path, name: str, begins: list[Atoms], **run: float) -> list[Atoms]:
    """Frames of runs from some structures, with energies and forces."""
    file = folder / f"{name}.extxyz"
    if not file.exists():
        seed = run.pop("seed")
        made = [
            frame
            for k, begin in enumerate(begins)
            for frame in langevin(
                begin, MOVER, seed=seed + k, equilibration=BEFORE, interval=BETWEEN, **run
            )
        ]
        write(file, im.label(made, LEVEL, progress=False))
    return im.read_frames(file)


def main(folder: Path, members: int | None, random: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    begins = starts()
    known, others = begins[:CONFORMERS], begins[CONFORMERS : CONFORMERS + 1]
    train = frames_of(folder, "train", known, n=EACH, temperature=300.0, seed=0)
    train = [train[k] for k in np.random.default_rng(0).permutation(len(train))]
    began = time.process_time()
    how = {"members": members, "refine": 0 if random or members else None}
    report = im.fit(train, isolated_energies="average", **how)
    processor = (time.process_time() - began) / 60
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    potential = report.potential
    weights = potential.card.provenance["weights"]
    name, option = named("benzyloxypyridinamine", members, random)
    figures = {
        f"{name}: fit": f"{processor:.1f} min of processors, {peak:.1f} GiB, {weights} weights"
    }
    tests = {
        f"{kelvin} K": frames_of(
            folder, f"test_{kelvin}", known, n=TESTED, temperature=float(kelvin), seed=100 + kelvin
        )
        for kelvin in KELVINS
    }
    tests["300 K, a conformer not seen"] = frames_of(
        folder, "test_other", others, n=TESTED, temperature=300.0, seed=50
    )
    for what, frames in tests.items():
        errors = im.evaluate(potential, frames).summary()
        figures[f"{name}: RMSE at {what}"] = (
            f"{errors['energy_rmse_meV']:.1f} meV, {errors['force_rmse_meV/A']:.1f} meV/Å"
        )
    figures[f"{name}: energy and forces"] = f"{milliseconds(potential, train[0]):.2f} ms"
    record(figures, f"python benchmarks/benzyloxypyridinamine.py FOLDER{option}")


if __name__ == "__main__":
    main(**vars(arguments_of_a_fit(__doc__).parse_args()))
