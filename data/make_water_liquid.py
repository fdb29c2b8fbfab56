"""Periodic water at GFN1-xTB, 32 molecules in a box, and clusters.

    python data/make_water_liquid.py [--rounds 2] [--workers 1]

The first boxes come from a classical run (flexible TIP3P, OpenMM) at five densities and three
temperatures, some of them with atoms displaced at random. Each round then fits a potential to what
is labelled, runs dynamics with it at other densities and temperatures, and labels what it visits.
Boxes and labels are written as they are made: the same call goes on where it was stopped.

Boxes hold 32 molecules because the method evaluates one point of reciprocal space: against a box of
twice the size energies differ by 0.4 meV and forces by 3 meV/A; with 16 molecules by 5 meV and
18 meV/A.
"""

from __future__ import annotations

import argparse
from functools import partial

import numpy as np
from ase import Atoms, units
from ase.geometry import find_mic
from ase.io import read
from ase.io import write as write_frames
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from common import SCRATCH, ship, tagged

import interpmd as im
from interpmd.reference.clusters import random_rotation
from interpmd.structures.files import read_frames

LEVEL = "gfn1-xtb"
NAME = "water_liquid"
SEED = 2031
MOLECULES = 32
TEST = 120
LARGEST_FORCE = 25.0  # eV/A: beyond lies what no dynamics visits
PLACE = SCRATCH / NAME
CLUSTERS = {"monomer": 60, "dimer": 200, "trimer": 120, "tetramer": 60, "hexamer": 40}

#: Clusters cut out of boxes by their size, from a molecule and as many of its neighbours.
CUT, SHELL = {2: 150, 3: 250, 4: 100, 5: 60}, 9

#: Density (g/ml), temperature (K) and number of the classical boxes.
CLASSICAL = (
    (1.00, 300, 16),
    (0.92, 300, 10),
    (1.10, 300, 12),
    (1.22, 300, 10),
    (0.80, 350, 8),
    (1.00, 400, 10),
    (1.05, 600, 10),
)

#: The same of each round with a learned potential.
LEARNED = (
    (1.00, 300, 10),
    (0.95, 300, 4),
    (1.08, 300, 6),
    (1.18, 300, 5),
    (0.85, 330, 4),
    (1.00, 400, 6),
    (1.10, 600, 5),
)

#: What the potentials of the rounds are: smaller than what is shipped, and made in a minute.
SPEC = {
    "cutoff": 5.0,
    "channels": (64, 96, 64),
    "lmax": (0, 3, 3),
    "basis": 8,
    "gain": 1.0,
    "stretch": 0.0,
    "decay": 0.0,
    "terms": {"repulsion": {}},
}


def edge(density: float, molecules: int = MOLECULES) -> float:
    """Edge of a cubic box (A) of water of some density (g/ml)."""
    mass = molecules * (15.999 + 2 * 1.008) / units.mol  # g
    return float((mass / density) ** (1 / 3) * 1e8)


def lattice(density: float, rng: np.random.Generator, molecules: int = MOLECULES) -> Atoms:
    """Molecules in random orientations on a cubic grid."""
    length = edge(density, molecules)
    along = int(np.ceil(molecules ** (1 / 3)))
    places = np.array([(i, j, k) for i in range(along) for j in range(along) for k in range(along)])
    water = np.array([[0, 0, 0], [0.9572, 0, 0], [-0.2400, 0.9266, 0]])
    atoms = Atoms(cell=[length] * 3, pbc=True)
    for place in places[rng.permutation(len(places))[:molecules]]:
        turned = water @ random_rotation(rng).T
        atoms += Atoms("OHH", turned + (place + 0.5) * length / along)
    return atoms


def classical(density: float, temperature: float, n: int, seed: int) -> list[Atoms]:
    """Boxes of flexible TIP3P, 1 ps apart after 20 ps."""
    import openmm
    from openmm import app
    from openmm import unit as u

    atoms = lattice(density, np.random.default_rng(seed))
    topology, symbols = app.Topology(), ("O", "H", "H")
    chain = topology.addChain()
    for _ in range(len(atoms) // 3):
        residue = topology.addResidue("HOH", chain)
        members = [
            topology.addAtom(name, app.Element.getBySymbol(symbol), residue)
            for name, symbol in zip(("O", "H1", "H2"), symbols, strict=True)
        ]
        topology.addBond(members[0], members[1])
        topology.addBond(members[0], members[2])
    topology.setPeriodicBoxVectors(atoms.cell.array * 0.1 * u.nanometer)
    system = app.ForceField("tip3p.xml").createSystem(
        topology,
        nonbondedMethod=app.PME,
        nonbondedCutoff=0.048 * atoms.cell.lengths().min() * u.nanometer,
        rigidWater=False,
        constraints=None,
    )
    dynamics = openmm.LangevinMiddleIntegrator(
        temperature * u.kelvin, 2 / u.picosecond, 0.5 * u.femtosecond
    )
    dynamics.setRandomNumberSeed(seed)
    platform = openmm.Platform.getPlatformByName("CPU")
    simulation = app.Simulation(topology, system, dynamics, platform, {"Threads": "1"})
    simulation.context.setPositions(atoms.positions * 0.1 * u.nanometer)
    simulation.minimizeEnergy(maxIterations=200)
    simulation.context.setVelocitiesToTemperature(temperature * u.kelvin, seed)
    simulation.step(40_000)
    frames = []
    for _ in range(n):
        simulation.step(2_000)
        state = simulation.context.getState(getPositions=True)
        frame = atoms.copy()
        frame.positions = state.getPositions(asNumpy=True).value_in_unit(u.angstrom)
        frames.append(frame)
    return frames


def first_boxes(seed: int = SEED) -> list[Atoms]:
    """Classical boxes; a third as they are, the others with atoms displaced at random."""
    rng, boxes = np.random.default_rng(seed), []
    for index, (density, temperature, n) in enumerate(CLASSICAL):
        for number, atoms in enumerate(classical(density, temperature, n, seed + index)):
            if number % 3:
                size = (0.02, 0.05)[number % 3 - 1]
                atoms.positions += rng.normal(0, size, atoms.positions.shape)
            boxes.append(atoms)
        print(f"classical: {density} g/ml, {temperature} K", flush=True)
    return tagged_boxes(boxes, "classical")


def round_of_boxes(potential: im.Potential, starts: list[Atoms], number: int) -> list[Atoms]:
    """What dynamics with a learned potential visits, until it goes astray."""
    rng, boxes = np.random.default_rng(SEED + 1000 * number), []
    for density, temperature, n in LEARNED:
        atoms = starts[rng.integers(len(starts))].copy()
        stretched(atoms, edge(density))
        atoms.calc = potential.calculator()
        MaxwellBoltzmannDistribution(atoms, temperature_K=temperature, rng=rng)
        dynamics = Langevin(
            atoms, 0.5 * units.fs, temperature_K=temperature, friction=0.02 / units.fs, rng=rng
        )
        for _ in range(n):
            dynamics.run(200 * number)
            gone = atoms.get_temperature() > 3 * temperature or not whole(atoms)
            boxes.append(Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True))
            if gone:
                print(f"  went astray: {density} g/ml, {temperature} K", flush=True)
                break
        print(f"round {number}: {density} g/ml, {temperature} K, {len(boxes)} boxes", flush=True)
    return tagged_boxes(boxes, f"round{number}")


def whole(atoms: Atoms) -> bool:
    """Whether each molecule is O H H with bonds below 1.6 A."""
    bonds = np.concatenate([atoms.positions[k::3] - atoms.positions[0::3] for k in (1, 2)])
    return bool((find_mic(bonds, atoms.cell, atoms.pbc)[1] < 1.6).all())


def stretched(atoms: Atoms, length: float) -> None:
    """Another edge of the box; molecules keep their shape."""
    factor = length / atoms.cell.lengths()[0]
    centres = np.repeat(atoms.positions[0::3], 3, axis=0)
    atoms.positions += (factor - 1) * centres
    atoms.set_cell([length] * 3)


def tagged_boxes(boxes: list[Atoms], subset: str) -> list[Atoms]:
    """Boxes with their subset, molecules unbroken."""
    frames = []
    for atoms in boxes:
        cell = np.round(atoms.cell.array, 6)
        frame = Atoms(atoms.numbers, np.round(atoms.positions, 6), cell=cell, pbc=True)
        frame.info = {"subset": subset, "molecules": len(atoms) // 3}
        frames.append(frame)
    return frames


def clusters() -> list[Atoms]:
    """Geometries of the set `water`, to be labelled anew."""
    rng, known = np.random.default_rng(SEED), {}
    for atoms in read_frames(SCRATCH.parent / "data" / "water" / "train.extxyz.gz"):
        known.setdefault(atoms.info["subset"], []).append(atoms)
    frames = []
    for subset, n in CLUSTERS.items():
        chosen = [known[subset][i] for i in rng.permutation(len(known[subset]))[:n]]
        frames += tagged(chosen, subset, molecules=len(chosen[0]) // 3)
    return frames


def cut(boxes: list[Atoms]) -> list[Atoms]:
    """Neighbours cut out of boxes, by themselves: what makes rows of molecules determined."""
    rng, frames = np.random.default_rng(SEED + 7), []
    for size, n in CUT.items():
        for _ in range(n):
            atoms = boxes[rng.integers(len(boxes))]
            vectors, reach = find_mic(
                atoms.positions[::3] - atoms.positions[3 * rng.integers(MOLECULES)],
                atoms.cell,
                atoms.pbc,
            )
            near = np.argsort(reach)
            chosen = [near[0], *rng.permutation(near[1:SHELL])[: size - 1]]
            places = []
            for molecule in chosen:
                own = atoms.positions[3 * molecule : 3 * molecule + 3]
                places.append(vectors[molecule] + find_mic(own - own[0], atoms.cell, atoms.pbc)[0])
            frames.append(Atoms("OHH" * size, np.round(np.concatenate(places), 6)))
            frames[-1].info = {"subset": "cut", "molecules": size}
    return frames


def kept(name: str, make) -> list[Atoms]:
    """Frames made once and kept in scratch."""
    path = PLACE / f"{name}.extxyz"
    if not path.exists():
        frames = make()
        growing = path.with_suffix(".partial")
        write_frames(growing, frames, format="extxyz")
        growing.replace(path)
    return read(path, ":")


def labelled(name: str, frames: list[Atoms], workers: int) -> list[Atoms]:
    """Labels, one by one in a file of scratch."""
    found = im.label(frames, LEVEL, out=PLACE / f"{name}-labels.extxyz", workers=workers)
    return [a for a in found if np.linalg.norm(a.get_forces(), axis=1).max() < LARGEST_FORCE]


def fitted(frames: list[Atoms], number: int) -> im.Potential:
    """The potential of a round."""
    folder = PLACE / f"potential{number}"
    if not folder.exists():
        report = im.fit(frames, spec=SPEC, ridge=1e-6, out=folder, progress=False)
        print(f"potential {number}: {report}", flush=True)
    return im.load(folder)


def main() -> None:
    """Make boxes, label them, go round, write the data files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1)
    chosen = parser.parse_args()
    PLACE.mkdir(parents=True, exist_ok=True)
    isolated = im.isolated_atoms("HO", LEVEL)
    for atom in isolated:
        atom.info |= {"subset": "isolated", "molecules": 0}
    frames = labelled("clusters", kept("clusters", clusters), chosen.workers)
    frames += labelled("classical", kept("classical", first_boxes), chosen.workers)
    for number in range(1, chosen.rounds + 1):
        potential = fitted(frames + isolated, number)
        boxes = [a for a in frames if len(a) == 3 * MOLECULES]
        visited = partial(round_of_boxes, potential, boxes, number)
        found = kept(f"round{number}", visited)
        frames += labelled(f"round{number}", found, chosen.workers)
    boxes = [a for a in frames if len(a) == 3 * MOLECULES]
    frames += labelled("cut", kept("cut", partial(cut, boxes)), chosen.workers)
    ship(
        NAME,
        frames + isolated,
        TEST,
        SEED,
        f"Water, {MOLECULES} molecules in periodic boxes of 0.8 to 1.22 g/ml at 300 to 600 K: from "
        "classical dynamics, some with displaced atoms, and from dynamics with potentials fitted "
        "to these; clusters from the monomer to the hexamer, and two to five neighbours cut out of "
        "the boxes.",
        largest_force_eV_per_A=LARGEST_FORCE,
    )


if __name__ == "__main__":
    main()
