"""How readable, determined and right the rows of each gauge are, and what they cost.

python benchmarks/gauges.py          all figures, in about ten minutes
python benchmarks/gauges.py truth    some: readability, halves, truth, groups, parts, time
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from ase import Atoms, units
from ase.build import molecule
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from results import ROOT, record

import interpmd as im
from interpmd.attribution.gauges.groups import group_game, group_rows
from interpmd.attribution.gauges.internal import balance, carried
from interpmd.attribution.models import as_model
from interpmd.reference.calculator import as_calculator
from interpmd.structures.chemistry import bonds, hydrogen_bonds
from interpmd.structures.coordinates import Coordinates, internal_coordinates
from interpmd.structures.threads import one_thread
from interpmd.trust.reproducibility import halves, reproducibility

COMMAND = "python benchmarks/gauges.py"

#: Of ASE's G2 set; neither coordinates nor stiffnesses were chosen with these in view.
G2 = (
    "CH3COF", "C2H6CHOH", "CH2NHCH2", "CH3CH2Cl", "CH3CH2SH", "C2F4", "C3H4_C2v", "HCCl3",
)  # fmt: skip

#: Smaller than the shipped one, so that two fits take minutes.
SPEC = {
    "channels": (48, 48, 36, 32),
    "lmax": (0, 4, 4, 3),
    "basis": 6,
    "weights": 5000,
    "terms": {"repulsion": {}},
}

#: Groups at which rows are cut.
CUT = 5


def frames_of(name: str, subsets: Iterable[str] = (), count: int | None = None) -> list[Atoms]:
    """Test frames, evenly spaced where there are more than asked for."""
    frames = im.read_frames(ROOT / "data" / name / "test.extxyz.gz")
    wanted = [a for a in frames if not subsets or a.info.get("subset") in subsets]
    step = 1 if count is None else max(1, len(wanted) // count)
    return wanted[::step][:count]


def coordinates_of(frames: Sequence[Atoms]) -> Coordinates:
    return internal_coordinates(frames, bonds, hydrogen_bonds)


def gfn2_forces(frames: Sequence[Atoms]) -> list[np.ndarray]:
    return as_model(as_calculator("gfn2-xtb")).evaluate(frames)[1]


def at_300_kelvin(name: str, frames: int = 8) -> list[Atoms]:
    """A molecule of the G2 set by GFN2-xTB, 15 fs apart."""
    atoms, rng = molecule(name), np.random.default_rng(0)
    atoms.set_initial_magnetic_moments(None)
    atoms.calc = as_calculator("gfn2-xtb")
    MaxwellBoltzmannDistribution(atoms, temperature_K=600, rng=rng)
    run = Langevin(atoms, units.fs, temperature_K=300, friction=0.02 / units.fs, rng=rng)
    run.run(60)
    visited = []
    for _ in range(frames):
        run.run(15)
        visited.append(atoms.copy())
    return visited


def ratios(rows: Sequence[np.ndarray], forces: Sequence[np.ndarray]) -> tuple[float, float]:
    """Sum of the rows over the force: median over atoms and frames, and of the worst atom.

    Args:
        rows: of each frame, shape (rows, atoms, 3).
        forces: of each frame, shape (atoms, 3).
    """
    each = np.array(
        [
            np.linalg.norm(r, axis=-1).sum(0) / np.linalg.norm(f, axis=-1)
            for r, f in zip(rows, forces, strict=True)
        ]
    )
    return float(np.median(each)), float(np.median(each, axis=0).max())


def of_internal(frames: Sequence[Atoms]) -> tuple[float, float]:
    coordinates, forces = coordinates_of(frames), gfn2_forces(frames)
    rows = [
        carried(balance(coordinates, a.positions), f).rows
        for a, f in zip(frames, forces, strict=True)
    ]
    return ratios(rows, forces)


def of_calls(frames: Sequence[Atoms], **question) -> tuple[float, float]:
    """By `explain`, atom for atom, of GFN2-xTB."""
    model, rows, forces = as_model(as_calculator("gfn2-xtb")), [], []
    for atoms in frames:
        found = [im.explain(model, atoms, im.Force(k), **question) for k in range(len(atoms))]
        rows.append([np.linalg.norm(e.values, axis=1).sum() for e in found])
        forces.append([np.linalg.norm(e.predicted) for e in found])
    each = np.array(rows) / np.array(forces)
    return float(np.median(each)), float(np.median(each, axis=0).max())


def readability() -> dict[str, str]:
    """Sum of the rows over the force, of GFN2-xTB in the default view and in others."""
    malonaldehyde = frames_of("malonaldehyde", ("md300",), 20)
    dipeptide = frames_of("alanine_dipeptide", (), 20)
    hexamers = [a for a in frames_of("water") if len(a) == 18][:12]
    systems: dict[str, Callable[[], tuple[float, float]]] = {
        "malonaldehyde, internal": lambda: of_internal(malonaldehyde),
        "malonaldehyde, groups": lambda: of_calls(malonaldehyde[:5], gauge="groups"),
        "alanine dipeptide, internal": lambda: of_internal(dipeptide),
        "six waters, molecules": lambda: of_calls(hexamers),
        "six waters, internal": lambda: of_internal(hexamers),
        **{f"{name}, internal": lambda name=name: of_internal(at_300_kelvin(name)) for name in G2},
    }
    figures = {}
    for name, measure in systems.items():
        middle, worst = measure()
        figures[f"gauges, sum of rows over force: {name}"] = f"{middle:.2f}; worst atom {worst:.2f}"
    potential, rows, forces = im.load("malonaldehyde"), [], []
    for atoms in malonaldehyde[:5]:
        table = im.decompose(potential, atoms)
        on_atoms = np.zeros((len(table), len(atoms), 3))
        np.add.at(on_atoms, (table.owner, table.member_atoms), table.member_forces)
        rows.append(on_atoms)
        forces.append(table.forces)
    middle, worst = ratios(rows, forces)
    name = "gauges, sum of rows over force: malonaldehyde, atoms, shipped potential, all orders"
    return figures | {name: f"{middle:.0f}; worst atom {worst:.0f}"}


def two_halves() -> dict[str, str]:
    """Rows of two fits to halves of the training data of malonaldehyde."""
    folder = ROOT / "data" / "malonaldehyde"
    data = [a for part in ("train", "groups") for a in im.read_frames(folder / f"{part}.extxyz.gz")]
    options = {"spec": SPEC, "energy_weight": 20.0, "progress": False}
    first, second = (im.fit(half, **options).potential for half in halves(data))
    frames = frames_of("malonaldehyde", ("md300", "md500"))
    # where the proton stays with one oxygen; between both it would join all groups to one
    frames = [a for a in frames if a.get_distance(0, 5) < 1.15 < 1.4 < a.get_distance(4, 5)][:10]
    figures = {}
    for gauge, target in (("internal", None), ("groups", None), ("groups", im.Energy())):
        found = reproducibility(first, second, frames, target, gauge, progress=False)
        what = "energies" if target else "forces"
        figures[f"gauges, two halves of the data, {what} by {gauge}"] = (
            f"r {found.correlation:.3f}, rows {100 * found.relative_difference:.1f} %, "
            f"{what} {100 * found.target_difference:.1f} %"
        )
    targets = [im.Force(k) for k in (0, 3, 5)]
    found = reproducibility(first, second, frames[:3], targets, "atoms", progress=False)
    figures["gauges, two halves of the data, forces by atoms"] = (
        f"r {found.correlation:.3f}, rows {100 * found.relative_difference:.0f} %, "
        f"forces {100 * found.target_difference:.1f} %"
    )
    return figures


def against_dft() -> dict[str, str]:
    """Tensions by the shipped potential of malonaldehyde against those of the labels."""
    potential = im.load("malonaldehyde")
    frames = frames_of("malonaldehyde", ("md300", "md500", "transfer"))
    coordinates = coordinates_of(frames)
    of_rows, of_forces = [], []
    for atoms in frames:
        labels, forces = atoms.get_forces(), potential.predict(atoms).forces.numpy()
        at = balance(coordinates, atoms.positions)
        rows, own = carried(at, forces).rows, carried(at, labels).rows
        size = np.linalg.norm(rows - own, axis=-1)
        of_rows.append(size[size > 0])
        of_forces.append((forces - labels).ravel())
    rows, forces = (np.sqrt(np.mean(np.concatenate(x) ** 2)) for x in (of_rows, of_forces))
    return {
        "gauges, tensions of malonaldehyde against those of the DFT labels": (
            f"{1e3 * rows:.0f} meV/Å where forces err by {1e3 * forces:.0f}; {len(frames)} frames"
        )
    }


def groups() -> dict[str, str]:
    """Rows of alanine dipeptide cut at five groups: what is lost, and how the potential does."""
    frames = frames_of("alanine_dipeptide", (), 20)
    game = group_game(im.groups_of(frames), CUT)
    kept = game.orders > 0
    own, shipped = (
        group_rows(frames, game, model.evaluate)
        for model in map(as_model, (as_calculator("gfn2-xtb"), im.load("alanine_dipeptide")))
    )

    def rms(values: Iterable[np.ndarray]) -> float:
        return float(np.sqrt(np.mean(np.concatenate([np.ravel(v) for v in values]) ** 2)))

    lost = rms(rows.forces[~kept].sum(0) for rows in own)
    missed = rms(
        a.forces[kept].sum(0) - b.forces[kept].sum(0) for a, b in zip(shipped, own, strict=True)
    )
    single = rms(
        (a.forces - b.forces)[kept][np.abs(b.forces[kept]) > 0]
        for a, b in zip(shipped, own, strict=True)
    )
    energies = rms((a.energies - b.energies)[kept] for a, b in zip(shipped, own, strict=True))
    calls = 2 + len(game.parts)
    return {
        f"gauges, alanine dipeptide cut at {CUT} groups: force that is left, GFN2-xTB": (
            f"{1e3 * lost:.0f} meV/Å; {calls} calls a frame"
        ),
        f"gauges, alanine dipeptide cut at {CUT} groups: shipped potential against GFN2-xTB": (
            f"sum of the rows {1e3 * missed:.0f} meV/Å, single rows {1e3 * single:.0f} meV/Å and "
            f"{1e3 * energies:.0f} meV"
        ),
    }


def best(function: Callable, repeats: int = 15) -> float:
    """Shortest time of a call in ms."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return 1e3 * min(times)


def known_parts() -> dict[str, str]:
    """Extrapolation grades of all parts of the default view, on test frames."""
    systems = {
        "malonaldehyde, energies": (frames_of("malonaldehyde", (), 100), im.Energy()),
        "malonaldehyde, forces": (frames_of("malonaldehyde", (), 100), im.Force(8)),
        "alanine dipeptide, energies": (frames_of("alanine_dipeptide", (), 60), im.Energy()),
        "alanine dipeptide, forces": (frames_of("alanine_dipeptide", (), 60), im.Force(5)),
        "six waters, energies": ([a for a in frames_of("water") if len(a) == 18], im.Energy()),
    }
    figures = {}
    for name, (frames, target) in systems.items():
        potential = im.load(name.split(",")[0].replace(" ", "_").replace("six_waters", "water"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", im.ExtrapolationWarning)
            found = [im.explain(potential, a, target) for a in frames]
        largest = np.array([e.certificate().grade for e in found])
        figures[f"gauges, parts of the default view that the data vouch for: {name}"] = (
            f"all in {(largest <= 1).sum()} of {len(frames)} frames; largest grade "
            f"{np.median(largest):.2f} (median), {np.quantile(largest, 0.9):.2f} (90 %), "
            f"{largest.max():.1f} (worst)"
        )
    return figures


def cost() -> dict[str, str]:
    """Time of tensions of nine atoms beyond the force call."""
    potential, [atoms] = im.load("malonaldehyde"), frames_of("malonaldehyde", ("md300",), 1)
    model, ready = as_model(potential), coordinates_of(atoms)
    target = im.Force(5)
    with one_thread():
        forces = best(lambda: model.evaluate([atoms]))
        bare = best(lambda: im.explain(model, atoms, target, gauge=ready, error_bars=False))
        bars = best(lambda: im.explain(model, atoms, target, gauge=ready))
        fresh = best(lambda: im.explain(model, atoms, target, error_bars=False))
    return {
        "gauges, tensions of 9 atoms beyond the force call": (
            f"{bare - forces:.1f} ms; with error bars {bars - forces:.0f} ms; with new "
            f"coordinates {fresh - forces:.0f} ms; the call itself {forces:.1f} ms"
        )
    }


PARTS = {
    "readability": readability,
    "halves": two_halves,
    "truth": against_dft,
    "groups": groups,
    "parts": known_parts,
    "time": cost,
}


def main(names: Sequence[str]) -> None:
    for name in names or PARTS:
        record(PARTS[name](), COMMAND)


if __name__ == "__main__":
    main(sys.argv[1:])
