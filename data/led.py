"""Where a corrected force field goes when it is let loose: its own minima, profiles and dynamics.

`data/make_small_molecules.py --lead FOLDER` asks for them. Of the training molecules, and of pairs
of them, which touch as the parts of larger molecules do, a potential relaxes conformers, holds
dihedrals at angles of its own, runs at 300 to 600 K and relaxes what it finds there. What it takes
for a minimum is what a fit of its labels has to know; each round leads other molecules.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from ase.optimize import BFGS
from common import SCRATCH, write_geometries
from geometries import embedded, seed_of, torsions, turned
from strained import folded, touching

from interpmd.errors import InterpmdError
from interpmd.reference.bias import BiasedCalculator, DihedralRestraint
from interpmd.reference.checks import closest_overlap

GEOMETRIES = SCRATCH / "small_molecules.led"

#: Digits of positions in Å, so that files are small.
PLACES = 3

#: Steps of a relaxation, at which frames are taken beside the last, and dihedrals that are held.
STEPS, TAKEN, HELD = 60, (10,), 3

#: Steps of 0.5 fs of a run, its temperatures in K.
RUN, TEMPERATURES = 60, (300.0, 600.0)

#: Restraint of a dihedral in eV/rad².
STIFFNESS = 100.0

#: Where a run ends: atoms closer than this times the sum of their covalent radii.
TOO_CLOSE = 0.5

#: Heavy atoms of a molecule at least, of a pair at most, and pairs in each round.
SMALLEST, LARGEST_PAIR, PAIRS = 3, 9, 150

#: Molecules of a round: every sixth one.
EVERY = 6


def led(
    molecules: Sequence[str], heavy: Sequence[int], calculator: Calculator, turn: int
) -> list[Atoms]:
    """Frames of a round, from their files where there are some.

    Args:
        molecules: SMILES.
        heavy: their numbers of heavy atoms.
        calculator: of the potential that leads.
        turn: the number of the round, from 1 on.
    """
    found = []
    for number, (smiles, count) in enumerate(zip(molecules, heavy, strict=True)):
        if count >= SMALLEST and (number + turn) % EVERY == 0:
            found += _kept(f"{seed_of(smiles):08x}", smiles, turn, _alone(smiles, calculator, turn))
    for number, (first, second) in enumerate(_pairs(molecules, heavy, turn)):
        name = f"{first}.{second}"
        frames = _together(first, second, calculator, turn)
        found += _kept(f"pair{number:04d}", name, turn, frames)
    return found


def rounds() -> list[Atoms]:
    """Frames of all rounds that were led, from their files."""
    paths = sorted(GEOMETRIES.glob("round*/*.extxyz"))
    return [
        atoms for path in paths if path.stat().st_size for atoms in ase.io.read(path, index=":")
    ]


def _kept(file: str, name: str, turn: int, frames: Iterator[Atoms]) -> list[Atoms]:
    path = GEOMETRIES / f"round{turn}" / f"{file}.extxyz"
    if not path.exists():
        made = list(frames)
        for atoms in made:
            atoms.info = {"subset": "led", "molecule": name, "charge": 0}
        write_geometries(Path(path), made)
    return ase.io.read(path, index=":") if path.stat().st_size else []


def _alone(smiles: str, calculator: Calculator, turn: int) -> Iterator[Atoms]:
    """Frames of one molecule: a conformer, a folded one, dihedrals that are held, a run."""
    seed = seed_of(smiles) + 100 * turn
    molecule, conformers = embedded(smiles, 3, seed=seed)
    if not conformers:
        return
    rng, bonds = np.random.default_rng(seed), torsions(molecule)
    start = conformers[rng.integers(len(conformers))]
    yield from downhill(start, calculator)
    for atoms in folded(molecule, start, 1, seed):
        yield from downhill(atoms, calculator)
    for _ in range(HELD if bonds else 0):
        held, angle = bonds[rng.integers(len(bonds))], float(rng.uniform(-180, 180))
        moved = turned(molecule, start, held, angle)
        restraint = DihedralRestraint(*held, target=angle, stiffness=STIFFNESS)
        yield from downhill(moved, BiasedCalculator(calculator, (restraint,)), taken=())
    hot = _run(start, calculator, rng)
    yield _rounded(hot)
    yield from downhill(hot, calculator, taken=())


def _together(first: str, second: str, calculator: Calculator, turn: int) -> Iterator[Atoms]:
    """Frames of two molecules on their way to each other."""
    seed = seed_of(first + second) + 100 * turn
    parts = [embedded(smiles, 2, seed=seed)[1] for smiles in (first, second)]
    if all(parts):
        yield from downhill(touching(parts[0][0], parts[1][-1], seed % 2**31), calculator)


def _pairs(molecules: Sequence[str], heavy: Sequence[int], turn: int) -> list[tuple[str, str]]:
    """Pairs drawn at random: of molecules of two heavy atoms and more, not too large together."""
    rng, found = np.random.default_rng(turn), []
    some = [k for k, count in enumerate(heavy) if count > 1]
    while len(found) < PAIRS:
        first, second = rng.choice(some, 2)
        if heavy[first] + heavy[second] <= LARGEST_PAIR:
            found.append((molecules[first], molecules[second]))
    return found


def downhill(atoms: Atoms, calculator: Calculator, taken: Sequence[int] = TAKEN) -> Iterator[Atoms]:
    """Frames on the way to a minimum, and the last one."""
    moving = Atoms(atoms.numbers, atoms.positions, calculator=calculator)
    last = moving.copy()
    with suppress(InterpmdError):  # atoms fell onto each other
        search = BFGS(moving, logfile=None, maxstep=0.1)
        for number, _ in enumerate(search.irun(fmax=0.03, steps=STEPS)):
            if closest_overlap(moving, factor=TOO_CLOSE) is not None:
                break
            last = moving.copy()
            if number in taken:
                yield _rounded(last)
    yield _rounded(last)


def _run(atoms: Atoms, calculator: Calculator, rng: np.random.Generator) -> Atoms:
    """Where dynamics end."""
    moving = Atoms(atoms.numbers, atoms.positions, calculator=calculator)
    last, temperature = moving.copy(), float(rng.uniform(*TEMPERATURES))
    MaxwellBoltzmannDistribution(moving, temperature_K=2 * temperature, rng=rng)
    run = Langevin(
        moving, 0.5 * units.fs, temperature_K=temperature, friction=0.02 / units.fs, rng=rng
    )
    with suppress(InterpmdError):
        for _ in run.irun(steps=RUN):
            if closest_overlap(moving, factor=TOO_CLOSE) is not None:
                break
            last = moving.copy()
    return last


def _rounded(atoms: Atoms) -> Atoms:
    places = np.round(atoms.positions - atoms.positions.mean(axis=0), PLACES)
    return Atoms(atoms.numbers, places, info={"charge": 0})
