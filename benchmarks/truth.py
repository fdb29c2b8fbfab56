"""Learned truth and quantum truth: are the rows of fitted potentials right where that is known?

python benchmarks/truth.py [learned] [quantum]    both if left out; about a quarter of an hour
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import torch
from ase import Atoms
from ase.build import molecule
from ase.optimize import BFGS
from results import ROOT, record

import interpmd as im
from interpmd.reference.calculator import as_calculator
from interpmd.reference.clusters import molecules_of, random_clusters
from interpmd.structures.files import read_frames

COMMAND = "python benchmarks/truth.py"

#: Learned truth: potential, model, with dimers and trimers or not, in periodic boxes or not.
CASES = [
    ("stillinger_weber", "expansion", True, False),
    ("stillinger_weber", "expansion", False, False),
    ("stillinger_weber", "message_passing", True, False),
    ("stillinger_weber", "message_passing", False, False),
    ("mw", "expansion", True, False),
    ("mw", "expansion", False, False),
    ("mw", "expansion", True, True),
    ("mw", "expansion", False, True),
]

#: Quantum truth: seed of geometries that no script of the data uses.
SEED = 77_001


def learned() -> None:
    pd.set_option("display.width", 250, "display.max_columns", 20)
    for potential, model, dimers, periodic in CASES:
        table = im.learned_truth(potential, dimers=dimers, model=model, periodic=periodic)
        print(table.round(4).to_string())
        parts = {
            "pairs": ("pair_rmse_meV", "meV", 2),
            "triplets": ("triplet_rmse_%", "% of std", 2),
            "leak": ("leak_%", "%", 2),
            "net leak": ("net_leak_%", "%", 2),
            "force RMSE": ("force_rmse_meV/A", "meV/Å", 1),
        }
        where = "periodic boxes" if periodic else "clusters"
        data = f"{'with' if dimers else 'no'} dimers, trimers"
        name = f"learned truth, {potential}, {where}, {model}, {data}"
        record(
            {
                name: "; ".join(
                    f"{what} {table[column].min():.{digits}f} to {table[column].max():.{digits}f} "
                    f"{unit}"
                    for what, (column, unit, digits) in parts.items()
                )
                + f" ({len(table)} seeds)"
            },
            f"{COMMAND} learned",
        )


def new_clusters() -> list[Atoms]:
    """Dimers to hexamers from dynamics at 150 to 350 K that no training frame comes from."""
    water = molecule("H2O")
    frames = []
    for size, starts in ((2, 4), (3, 8), (4, 8), (6, 3)):
        thermal = im.sample(water, how="md", n=8, seed=SEED + size)
        begun = random_clusters(thermal, size, starts, (2.6, 3.2), SEED + 10 * size, contact=0.55)
        for index, start in enumerate(begun):
            start.calc = as_calculator("gfn2-xtb")
            BFGS(start, logfile=None).run(fmax=0.02, steps=120)
            start.calc = None
            found = im.sample(
                start,
                how="md",
                n=6,
                temperatures=((150.0, 250.0, 350.0)[index % 3],),
                seed=SEED + 100 * size + index,
                interval=40,
                equilibration=150,
                timestep=0.75,
            )
            frames += [a for a in found if len(molecules_of(a)) == size]
    return frames


def quantum() -> None:
    potential = im.load("water")
    wanted = {"dimer", "trimer", "tetramer", "hexamer"}
    held_out = read_frames(ROOT / "data" / "water" / "test.extxyz.gz")
    held_out = [a for a in held_out if a.info["subset"] in wanted]
    for name, frames in (("test set", held_out), ("new dynamics", new_clusters())):
        found = im.quantum_truth(potential, frames, order=4)
        errors = found.errors()
        print(found, errors.round(4).to_string(), sep="\n")
        shares = {size: found.shares(size) for size in (4, 6)}
        for size, table in shares.items():
            print(f"shares in clusters of {size}\n{table.round(2).to_string()}")
        table = found.to_frame()
        sizes = sorted(table.molecules.unique())
        trimers = table[table.order == 3]
        figures = {
            f"quantum truth, water, {name}: 2-, 3-, 4-body RMSE": ", ".join(
                f"{errors.rmse[order]:.3f}" for order in (2, 3, 4)
            )
            + f" kcal/mol ({', '.join(str(int(errors.sets[o])) for o in (2, 3, 4))} sets)",
            f"quantum truth, water, {name}: 3-body error per trimer by size of the cluster": (
                ", ".join(
                    f"{size}: MAE {part.error.abs().mean():.3f}, "
                    f"RMSE {(part.error**2).mean() ** 0.5:.3f}"
                    for size in sizes
                    if len(part := trimers[trimers.molecules == size])
                )
                + " kcal/mol"
            ),
            f"quantum truth, water, {name}: 3-body force error": (
                f"{errors['force_rmse_meV/A'][3]:.1f} of {errors['force_rms_meV/A'][3]:.1f} meV/Å"
            ),
        }
        for size, share in shares.items():
            figures[f"quantum truth, water, {name}: 2-, 3-, 4-body shares of {size} molecules"] = (
                "/".join(f"{share.potential[order]:.1f}" for order in (2, 3, 4))
                + " % against "
                + "/".join(f"{share.quantum[order]:.1f}" for order in (2, 3, 4))
                + " % by GFN2-xTB"
            )
        record(figures, f"{COMMAND} quantum")
        axes = found.plot(4)
        target = Path("scratch")
        target.mkdir(exist_ok=True)
        axes[0].figure.savefig(target / f"quantum_{name.replace(' ', '_')}.png", dpi=110)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for wanted in sys.argv[1:] or ("learned", "quantum"):
        {"learned": learned, "quantum": quantum}[wanted]()
