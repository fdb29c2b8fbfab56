"""Water, monomer to hexamer, at GFN2-xTB.

    python data/make_water.py [--workers 2]

Monomers, dimers and trimers from contact to 9 A, so that two- and three-body contributions are
identifiable; tetramers to hexamers from relaxed clusters and molecular dynamics; clusters cut
from a droplet; sub-clusters of hexamers, so that many-body expansions can be checked.
"""

from __future__ import annotations

import argparse

import numpy as np
from ase import Atoms
from ase.build import molecule
from ase.optimize import BFGS
from common import distinct, ship, tagged, thinned

from interpmd.reference.calculator import as_calculator
from interpmd.reference.clusters import fragments, molecules_of, nearest_molecules, random_clusters
from interpmd.reference.labelling import isolated_atoms, label
from interpmd.reference.trajectories import langevin, normal_modes

LEVEL = "gfn2-xtb"
SEED = 2027
TEST = 450
LARGEST_FORCE = 25.0  # eV/A: beyond lies what no dynamics visits
DROPLET = 20


def monomers(rng: np.random.Generator, seed: int = SEED) -> tuple[list[Atoms], list[Atoms]]:
    """Thermal monomers, to build clusters from, and distorted ones."""
    water = relaxed(molecule("H2O"))
    thermal = normal_modes(water, n=60, temperature=300, seed=seed)
    thermal += langevin(water, n=60, temperature=400, seed=seed + 1)
    distorted = normal_modes(water, n=40, temperature=2000, seed=seed + 2)
    while len(distorted) < 130:
        atoms = water.copy()
        for hydrogen in (1, 2):
            atoms.set_distance(0, hydrogen, rng.uniform(0.8, 1.35), fix=0)
        atoms.set_angle(1, 0, 2, rng.uniform(80, 145))
        distorted.append(atoms)
    return thermal, distorted


def relaxed(atoms: Atoms, steps: int = 300) -> Atoms:
    """Relaxed with GFN2-xTB."""
    copy = atoms.copy()
    copy.calc = as_calculator(LEVEL)
    BFGS(copy, logfile=None).run(fmax=0.02, steps=steps)
    copy.calc = None
    return copy


def intact(atoms: Atoms, size: int) -> bool:
    """Whether there are that many molecules of three atoms."""
    found = molecules_of(atoms)
    return len(found) == size and all(len(group) == 3 for group in found)


def dynamics(
    thermal: list[Atoms], size: int, starts: int, per_start: int, seed: int = SEED
) -> list[Atoms]:
    """Molecular dynamics of relaxed clusters; those that flew apart or reacted are left out."""
    frames = []
    temperatures = (150, 200, 250, 300, 350, 400)
    first = seed + 100 * size
    begun = random_clusters(thermal, size, starts, (2.6, 3.2), seed=first, contact=0.55)
    for index, start in enumerate(begun):
        minimum = relaxed(start, steps=120)
        found = langevin(
            minimum,
            n=per_start,
            temperature=temperatures[index % len(temperatures)],
            seed=first + index,
            interval=40,
            equilibration=150,
            timestep=0.75,
        )
        frames += [minimum] + [atoms for atoms in found if intact(atoms, size)]
    return frames


def droplet(thermal: list[Atoms], n: int, rng: np.random.Generator) -> list[Atoms]:
    """Clusters of 3 to 6 neighbours cut from a droplet at 300 K: liquid-like surroundings."""
    start = random_clusters(thermal, DROPLET, 1, (2.6, 3.0), seed=SEED + 3, contact=0.6)[0]
    found = langevin(
        relaxed(start, steps=60), n=12, temperature=300, seed=SEED + 4, interval=40, timestep=0.75
    )
    frames = []
    for _ in range(n):
        atoms = found[rng.integers(len(found))]
        frames.append(nearest_molecules(atoms, rng.integers(DROPLET), rng.integers(3, 7)))
    return frames


def geometries() -> list[Atoms]:
    """All frames with their subset."""
    rng = np.random.default_rng(SEED)
    thermal, distorted = monomers(rng)
    frames = tagged(thermal + distorted, "monomer", molecules=1)
    near_and_far = (
        (2, 260, (2.2, 3.5)),
        (2, 240, (2.5, 9.0)),
        (3, 240, (2.3, 4.0)),
        (3, 220, (2.5, 9.0)),
    )
    names = {2: "dimer", 3: "trimer", 4: "tetramer", 5: "pentamer", 6: "hexamer"}
    for index, (size, n, distances) in enumerate(near_and_far):
        found = random_clusters(thermal, size, n, distances, seed=SEED + 10 + index, contact=0.5)
        frames += tagged(found, names[size], molecules=size)
    for size, starts, per_start in ((2, 6, 24), (3, 12, 15), (4, 18, 16), (5, 18, 16), (6, 18, 16)):
        found = dynamics(thermal, size, starts, per_start)
        frames += tagged(found, names[size], molecules=size)
        print(names[size], len(found), flush=True)
    whole = [a for a in frames if a.info["subset"] == "hexamer"]
    for index in rng.permutation(len(whole))[:12]:
        parts = fragments(whole[index], orders=(2, 3))
        for chosen in rng.permutation(len(parts))[:20]:
            size = parts[chosen].info["molecules"]
            frames += tagged([parts[chosen]], "fragment", molecules=size)
    for atoms in droplet(thermal, 230, rng):
        frames += tagged([atoms], "droplet", molecules=atoms.info["molecules"])
    return distinct(frames)


def main() -> None:
    """Make geometries, label them, write the data files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=1)
    chosen = parser.parse_args()
    frames = thinned(label(geometries(), LEVEL, workers=chosen.workers), LARGEST_FORCE)
    atoms = isolated_atoms("HO", LEVEL)
    for atom in atoms:
        atom.info |= {"subset": "isolated", "molecules": 0}
    ship(
        "water",
        frames + atoms,
        TEST,
        SEED,
        "Water from the monomer to the hexamer: distorted monomers, dimers and trimers from "
        "contact to 9 A, molecular dynamics of clusters at 150 to 400 K, sub-clusters of "
        "hexamers, clusters cut from a droplet at 300 K.",
        largest_force_eV_per_A=LARGEST_FORCE,
    )


if __name__ == "__main__":
    main()
