"""Alanine dipeptide (ACE-ALA-NME, L) at GFN2-xTB, over the whole (phi, psi) plane.

    python data/make_alanine_dipeptide.py [--workers 2]

Umbrella-biased molecular dynamics on a grid of both dihedrals covers every basin (C7eq, C5,
alpha-R, alpha-L, C7ax) and the barriers between them; free dynamics at 300 and 500 K and normal
modes fill in the minima.
"""

from __future__ import annotations

import argparse
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from ase import Atoms
from ase.optimize import BFGS
from common import distinct, ship, tagged, thinned

from interpmd.levels.calculation import one_openmp_thread
from interpmd.reference.bias import BiasedCalculator, DihedralRestraint
from interpmd.reference.calculator import as_calculator
from interpmd.reference.checks import closest_overlap
from interpmd.reference.labelling import isolated_atoms, label
from interpmd.reference.trajectories import langevin, normal_modes

LEVEL = "gfn2-xtb"
SEED = 2028
TEST = 450
LARGEST_FORCE = 15.0  # eV/A
GRID = range(-165, 180, 30)

START = Atoms(
    "CCONCCCONCHHHHHHHHHHHH",
    [
        [2.4986, 1.6882, 0.7209],
        [1.6458, 0.7604, -0.0998],
        [1.4760, 0.9133, -1.3061],
        [1.0378, -0.2385, 0.6205],
        [0.1284, -1.1995, -0.0088],
        [0.1232, -2.5013, 0.7835],
        [-1.2992, -0.6138, -0.1357],
        [-2.3012, -1.1867, 0.2853],
        [-1.3560, 0.5789, -0.8298],
        [-2.6107, 1.1881, -1.1821],
        [2.7604, 1.2418, 1.6843],
        [1.9521, 2.6189, 0.8936],
        [3.4246, 1.8978, 0.1784],
        [0.9488, -0.1118, 1.6211],
        [0.4846, -1.4059, -1.0258],
        [-0.2397, -2.3435, 1.8056],
        [1.1330, -2.9202, 0.8503],
        [-0.5245, -3.2469, 0.3103],
        [-0.5155, 0.8611, -1.3356],
        [-3.0240, 0.6627, -2.0470],
        [-3.3129, 1.1221, -0.3468],
        [-2.4298, 2.2349, -1.4364],
    ],
)
PHI, PSI = (1, 3, 4, 6), (3, 4, 6, 8)
BEHIND_PHI = [5, 6, 7, 8, 9, 14, 15, 16, 17, 18, 19, 20, 21]
BEHIND_PSI = [7, 8, 9, 18, 19, 20, 21]
# where free dynamics starts: (phi, psi) in degrees
BASINS = {
    "c7eq": (-83, 75),
    "c5": (-155, 160),
    "c7ax": (73, -60),
    "alpha_l": (60, 35),
    "alpha_r": (-75, -30),
}


def relaxed(atoms: Atoms, restraints=(), fmax: float = 0.02, steps: int = 200) -> Atoms:
    """Relaxed with GFN2-xTB, under restraints if there are any."""
    copy = atoms.copy()
    calculator = as_calculator(LEVEL)
    copy.calc = BiasedCalculator(calculator, restraints) if restraints else calculator
    BFGS(copy, logfile=None).run(fmax=fmax, steps=steps)
    copy.calc = None
    return copy


def turned(phi: float, psi: float) -> tuple[Atoms, list[DihedralRestraint]]:
    """The molecule at these dihedrals (degrees), relaxed under restraints that hold them."""
    atoms = START.copy()
    atoms.set_dihedral(*PHI, phi, indices=BEHIND_PHI)
    atoms.set_dihedral(*PSI, psi, indices=BEHIND_PSI)
    restraints = [DihedralRestraint(*PHI, phi, 3.0), DihedralRestraint(*PSI, psi, 3.0)]
    return relaxed(atoms, restraints, fmax=0.1, steps=60), restraints


def window(phi: float, psi: float) -> list[Atoms]:
    """Biased dynamics around a point of the (phi, psi) plane, and the relaxed point."""
    start, restraints = turned(phi, psi)
    temperature = 300 if (phi + psi) % 60 else 500
    found = langevin(
        start,
        n=8,
        temperature=temperature,
        seed=SEED + 1000 * (int(phi) + 180) + int(psi) + 180,
        interval=25,
        equilibration=100,
        timestep=0.8,
        friction=0.05,
        restraints=restraints,
    )
    return tagged([start, *found], "umbrella")


def free(basin: str, temperature: int) -> list[Atoms]:
    """Free dynamics from the minimum of a basin."""
    start = relaxed(turned(*BASINS[basin])[0])
    found = langevin(
        start,
        n=150,
        temperature=temperature,
        seed=SEED + temperature + list(BASINS).index(basin),
        interval=20,
        timestep=0.8,
    )
    return tagged([start, *found], f"md{temperature}")


def modes(basin: str) -> list[Atoms]:
    """Thermal normal modes of the minimum of a basin."""
    start = relaxed(turned(*BASINS[basin])[0], fmax=0.005)
    found = []
    for temperature in (300, 600):
        found += normal_modes(start, n=30, temperature=temperature, seed=SEED + temperature)
    return tagged(found, "modes")


def geometries(workers: int) -> list[Atoms]:
    """All frames with their subset."""
    with one_openmp_thread():
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            parts = [pool.submit(window, phi, psi) for phi in GRID for psi in GRID]
            for basin in BASINS:
                parts += [pool.submit(free, basin, temperature) for temperature in (300, 500)]
                parts.append(pool.submit(modes, basin))
            frames = []
            for index, part in enumerate(parts):
                frames += part.result()
                print(f"{index + 1}/{len(parts)}", end="\r", flush=True)
    frames = distinct(frames)
    return [atoms for atoms in frames if closest_overlap(atoms, factor=0.6) is None]


def main() -> None:
    """Make geometries, label them, write the data files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=1)
    chosen = parser.parse_args()
    assert np.isclose(START.get_dihedral(1, 3, 4, 6) % 360, 360 - 89, atol=60)
    frames = label(geometries(chosen.workers), LEVEL, workers=chosen.workers)
    frames = thinned(frames, LARGEST_FORCE)
    atoms = isolated_atoms("HCNO", LEVEL)
    for atom in atoms:
        atom.info["subset"] = "isolated"
    ship(
        "alanine_dipeptide",
        frames + atoms,
        TEST,
        SEED,
        "Alanine dipeptide (ACE-ALA-NME, L): biased dynamics over the whole (phi, psi) plane, "
        "free dynamics at 300 and 500 K from five basins, normal modes.",
        dihedrals={"phi": PHI, "psi": PSI},
        basins_phi_psi_deg=BASINS,
        largest_force_eV_per_A=LARGEST_FORCE,
    )


if __name__ == "__main__":
    main()
