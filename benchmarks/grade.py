"""How often the extrapolation grade is wrong: alarms on new frames of the same runs, and misses.

``python benchmarks/grade.py [alarms misses time]``. A structure is graded by the largest grade of
its atoms; above 1 it is called unlike the training data. Frames of the test sets are of the same
runs as the training data, so that every alarm is a false one. What must not pass is made of them:
bonds stretched to 3 Å, bonded pairs alone, everything compressed, atoms of two elements swapped,
atoms rattled. Of these it is also counted how many pass although GFN2-xTB, which made the training
data, says that their energy or a force is wrong.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence

import networkx as nx
import numpy as np
from ase import Atoms
from gauges import best
from results import ROOT, record

import interpmd as im
from interpmd.attribution.models import as_model
from interpmd.errors import InterpmdError
from interpmd.potentials.near import grade_of_surroundings
from interpmd.potentials.uncertainty import uncertainty
from interpmd.reference.calculator import as_calculator
from interpmd.structures.chemistry import bonds
from interpmd.structures.threads import one_thread

COMMAND = "python benchmarks/grade.py"

NAMES = ("malonaldehyde", "water", "alanine_dipeptide")

#: Å to which bonds are torn, and frames of which structures are made.
TORN, FRAMES = 3.0, 30

#: Structures count as wrong beyond this many times the error that 95 % of test frames keep.
WRONG = 2.0


def test_frames(name: str) -> list[Atoms]:
    """Those that no error bar was calibrated on."""
    frames = im.read_frames(ROOT / "data" / name / "test.extxyz.gz")
    return frames[1::2] if "calibrated_on" in im.load(name).card.provenance else frames


def grade(potential: im.Potential, atoms: Atoms) -> float:
    return float(uncertainty(potential, potential.batch(atoms)).extrapolation.max())


def stretched(atoms: Atoms, rng: np.random.Generator) -> Iterator[Atoms]:
    """One bond to 3 Å, the smaller side moved along."""
    pairs = bonds(atoms).pairs
    graph = nx.Graph([tuple(map(int, pair)) for pair in pairs])
    for first, second in rng.permutation(pairs):
        cut = graph.copy()
        cut.remove_edge(first, second)
        if not nx.has_path(cut, first, second):
            side = list(nx.node_connected_component(cut, second))
            moved, along = atoms.copy(), atoms.positions[second] - atoms.positions[first]
            length = np.linalg.norm(along)
            moved.positions[side] += along * (TORN - length) / length
            yield moved
            return


def pair_alone(atoms: Atoms, rng: np.random.Generator) -> Iterator[Atoms]:
    yield atoms[rng.choice(bonds(atoms).pairs)]


def compressed(atoms: Atoms, rng: np.random.Generator) -> Iterator[Atoms]:
    moved = atoms.copy()
    moved.positions *= rng.uniform(0.7, 0.85)
    yield moved


def swapped(atoms: Atoms, rng: np.random.Generator) -> Iterator[Atoms]:
    first = rng.integers(len(atoms))
    second = rng.choice(np.flatnonzero(atoms.numbers != atoms.numbers[first]))
    moved = atoms.copy()
    moved.positions[[first, second]] = moved.positions[[second, first]]
    yield moved


def rattled(atoms: Atoms, rng: np.random.Generator) -> Iterator[Atoms]:
    moved = atoms.copy()
    moved.positions += rng.normal(0, 0.25, moved.positions.shape)
    yield moved


KINDS: dict[str, Callable[[Atoms, np.random.Generator], Iterator[Atoms]]] = {
    "bond at 3 Å": stretched,
    "bonded pair alone": pair_alone,
    "compressed to 0.70-0.85": compressed,
    "two atoms swapped": swapped,
    "rattled by 0.25 Å": rattled,
}


def alarms() -> dict[str, str]:
    """False alarms on test frames, of error bars and of distances."""
    figures = {}
    for name in NAMES:
        potential, frames = im.load(name), test_frames(name)
        grades = np.array([grade(potential, atoms) for atoms in frames])
        near = np.array(
            [float(grade_of_surroundings(potential, potential.batch(a)).max()) for a in frames]
        )
        figures[f"grade, false alarms on test frames: {name}"] = (
            f"{(grades > 1).sum()} of {len(frames)} ({100 * (grades > 1).mean():.1f} %); of "
            f"distances alone {(near > 1).sum()}"
        )
    return figures


def errors(potential: im.Potential, frames: Sequence[Atoms]) -> np.ndarray:
    """Error of the energy over the root of the number of atoms, and of the worst force, against
    GFN2-xTB; infinite where that finds no state. Shape (frames, 2)."""
    reference, found = as_model(as_calculator("gfn2-xtb")), []
    for atoms in frames:
        predicted = potential.predict(atoms)
        try:
            energies, forces = reference.evaluate([atoms])
        except InterpmdError:
            found.append((np.inf, np.inf))
            continue
        off = np.linalg.norm(predicted.forces.numpy() - forces[0], axis=1).max()
        found.append((abs(float(predicted.energy) - energies[0]) / len(atoms) ** 0.5, off))
    return np.array(found)


def misses() -> dict[str, str]:
    """Structures unlike the training data that pass."""
    figures = {}
    for name in NAMES:
        potential, frames = im.load(name), test_frames(name)
        rng = np.random.default_rng(0)
        some = [frames[k] for k in rng.permutation(len(frames))[:FRAMES]]
        known = potential.card.level == "gfn2-xtb"
        usual = np.quantile(errors(potential, some), 0.95, axis=0) if known else None
        for kind, make in KINDS.items():
            made = [new for atoms in some for new in make(_bare(atoms), rng)]
            passed = [atoms for atoms in made if grade(potential, atoms) <= 1]
            text = f"{len(passed)} of {len(made)}"
            if usual is not None:
                wrong = [(off > WRONG * usual).any() for off in errors(potential, passed)]
                text += f", {sum(wrong)} of them wrong"
            figures[f"grade, misses: {name}, {kind}"] = text
    return figures


def _bare(atoms: Atoms) -> Atoms:
    bare = atoms.copy()
    bare.calc = None
    return bare


def cost() -> dict[str, str]:
    """Time of the grade in ms: distances alone, as in every step; and with error bars."""
    potential = im.load("malonaldehyde")
    batch = potential.batch(test_frames("malonaldehyde")[0])
    with one_thread():
        near, full = (
            best(lambda verb=verb: verb(potential, batch))
            for verb in (grade_of_surroundings, uncertainty)
        )
    return {"grade, time of 9 atoms": f"distances {near:.2f} ms; with error bars {full:.1f} ms"}


PARTS = {"alarms": alarms, "misses": misses, "time": cost}


def main(names: Sequence[str]) -> None:
    for name in names or PARTS:
        record(PARTS[name](), COMMAND)


if __name__ == "__main__":
    main(sys.argv[1:])
