"""Malonaldehyde, an internally hydrogen-bonded enol, at wB97X-D3(BJ)/def2-SVP.

    python data/make_malonaldehyde.py [--workers 2] [--only-ship]

Geometries come from GFN2-xTB (minutes); the DFT labels take about 7 s a frame and one core. The
labels grow in scratch/malonaldehyde.raw.extxyz, in random order, and the script can be stopped
and started again. ``--only-ship`` makes the data files from the labels that exist.
"""

from __future__ import annotations

import argparse

import numpy as np
from ase import Atoms
from ase.io import read, write
from ase.optimize import BFGS
from common import SCRATCH, ship, shuffled, tagged

from interpmd.reference.bias import BiasedCalculator, DistanceRestraint, TransferRestraint
from interpmd.reference.calculator import as_calculator
from interpmd.reference.checks import check_structure
from interpmd.reference.labelling import isolated_atoms, label
from interpmd.reference.trajectories import langevin, normal_modes

LEVEL = "wb97x-d3bj/def2-svp"
SEED = 2026
RAW = SCRATCH / "malonaldehyde.raw.extxyz"
GEOMETRIES = SCRATCH / "malonaldehyde.geometries.extxyz"
TEST = 150

# O1 accepts, O2 donates the proton H5; C1, C2, C3 are the chain
START = Atoms(
    "OCCCOHHHH",
    [
        [-1.27, -0.75, 0.0],
        [-1.20, 0.48, 0.0],
        [0.0, 1.24, 0.0],
        [1.20, 0.66, 0.0],
        [1.30, -0.67, 0.0],
        [0.34, -1.05, 0.0],
        [-2.13, 1.06, 0.0],
        [0.02, 2.32, 0.0],
        [2.14, 1.21, 0.0],
    ],
)
O1, O2, PROTON = 0, 4, 5


def transfer(atoms: Atoms) -> float:
    """d(O1, H) - d(O2, H) in A: positive with the proton on O2."""
    return atoms.get_distance(O1, PROTON) - atoms.get_distance(O2, PROTON)


def relaxed(atoms: Atoms, *restraints) -> Atoms:
    """Relaxed with GFN2-xTB, under restraints if there are any."""
    copy = atoms.copy()
    calculator = as_calculator("gfn2-xtb")
    copy.calc = BiasedCalculator(calculator, restraints) if restraints else calculator
    BFGS(copy, logfile=None).run(fmax=0.005, steps=500)
    copy.calc = None
    return copy


def mirrored(atoms: Atoms) -> Atoms:
    """The other enol form, with the atoms in the same order: O1 and O2 change roles."""
    copy = atoms.copy()
    copy.positions = atoms.positions[[4, 3, 2, 1, 0, 5, 8, 7, 6]] * [-1, 1, 1]
    return copy


def geometries() -> list[Atoms]:
    """All frames to be labelled, in random order, isolated atoms not included."""
    rng = np.random.default_rng(SEED)
    minimum = relaxed(START)
    forms = [minimum, mirrored(minimum)]
    assert transfer(forms[0]) > 0.3 and transfer(forms[1]) < -0.3, [transfer(a) for a in forms]
    frames = []
    for temperature, n in ((300, 80), (500, 75), (800, 65)):
        for form, start in enumerate(forms):
            found = langevin(
                start, n=n, temperature=temperature, seed=SEED + temperature + form, interval=50
            )
            frames += tagged(found, f"md{temperature}")

    # the path of the proton: every value of the coordinate, wide and narrow O...O distances
    scan, at = [], forms[1]
    for target in np.linspace(-1.0, 1.0, 21):
        at = relaxed(at, TransferRestraint(O1, PROTON, O2, float(target), 200.0))
        scan.append(at)
    targets = [-1.0, -0.7, -0.45, -0.25, -0.12, 0.0, 0.12, 0.25, 0.45, 0.7, 1.0]
    window = 0
    for target in targets:
        near = scan[int(np.argmin([abs(transfer(a) - target) for a in scan]))]
        for distance in (2.25, 2.4, 2.55, 2.8):
            restraints = [
                TransferRestraint(O1, PROTON, O2, target, 15.0),
                DistanceRestraint(O1, O2, distance, 15.0),
            ]
            n = 7 if abs(target) <= 0.25 else 4
            temperature = (300, 500)[window % 2]
            found = langevin(
                near,
                n=n,
                temperature=temperature,
                seed=SEED + 10_000 + window,
                interval=60,
                restraints=restraints,
            )
            frames += tagged(found, "transfer")
            window += 1
    frames += tagged(scan, "transfer")

    saddle = scan[int(np.argmin([abs(transfer(a)) for a in scan]))]
    for index, (start, temperature, n) in enumerate(
        [
            (forms[0], 300, 15),
            (forms[1], 300, 15),
            (forms[0], 900, 15),
            (forms[1], 900, 15),
            (saddle, 300, 20),
            (saddle, 900, 20),
        ]
    ):
        found = normal_modes(start, n=n, temperature=temperature, seed=SEED + 20_000 + index)
        frames += tagged(found, "modes")

    stretched = []
    hot = [a for a in frames if a.info["subset"] in ("md300", "transfer")]
    while len(stretched) < 60:
        atoms = _one_bond_stretched(hot[rng.integers(len(hot))], rng)
        if atoms is not None:
            stretched.append(atoms)
    for scale in np.linspace(0.85, 1.2, 8):
        atoms = forms[0].copy()
        atoms.positions *= scale
        stretched.append(atoms)
    frames += tagged(stretched, "stretched")
    for atoms in frames:
        check_structure(atoms)
    return shuffled(frames, SEED)


def _one_bond_stretched(atoms: Atoms, rng: np.random.Generator) -> Atoms | None:
    """One bond scaled by 0.8 to 1.2, the smaller side of the molecule moved as a whole."""
    moved_with = [  # the bond (fixed, moving) and the atoms that move
        (1, 0, [0]),
        (3, 4, [4, 5]),
        (4, 5, [5]),
        (1, 6, [6]),
        (2, 7, [7]),
        (3, 8, [8]),
        (2, 1, [1, 0, 6]),
        (2, 3, [3, 4, 5, 8]),
    ]
    fixed, moving, group = moved_with[rng.integers(len(moved_with))]
    copy = atoms.copy()
    bond = copy.positions[moving] - copy.positions[fixed]
    copy.positions[group] += bond * rng.uniform(-0.2, 0.2)
    distances = copy.get_all_distances()[np.triu_indices(len(copy), 1)]
    return copy if distances.min() > 0.78 else None


def main() -> None:
    """Make geometries, label them, write the data files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only-ship", action="store_true")
    parser.add_argument("--only-geometries", action="store_true")
    chosen = parser.parse_args()
    SCRATCH.mkdir(exist_ok=True)
    if not GEOMETRIES.exists():
        write(GEOMETRIES, geometries())
    if chosen.only_geometries:
        return
    if not chosen.only_ship:
        label(read(GEOMETRIES, index=":"), LEVEL, out=RAW, workers=chosen.workers)
    frames = read(RAW, index=":")
    atoms = isolated_atoms("HCO", LEVEL)
    for atom in atoms:
        atom.info["subset"] = "isolated"
    ship(
        "malonaldehyde",
        frames + atoms,
        TEST,
        SEED,
        "Malonaldehyde (enol, C3H4O2): both enol forms at 300, 500 and 800 K, the path of the "
        "proton between the oxygens, normal modes, stretched bonds.",
        atoms={"O1": O1, "O2": O2, "proton": PROTON},
        geometries_from="gfn2-xtb",
        transfer_region_frames=int(sum(abs(transfer(a)) < 0.3 for a in frames)),
        # not zero, because the integration grid moves with the atoms
        largest_net_force_eV_per_A=round(
            max(float(np.linalg.norm(a.get_forces().sum(axis=0))) for a in frames), 6
        ),
    )


if __name__ == "__main__":
    main()
