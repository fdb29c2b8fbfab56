"""How many of the reference's own numbers lie within two error bars, in every gauge.

``python benchmarks/error_bars.py [energies internal molecules groups atoms]``. The labels of the
test frames, or GFN2-xTB where it made the training data, say what is right: energies and forces,
tensions of coordinates, rows of molecules, of groups and of atoms.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from gauges import CUT, coordinates_of, frames_of
from results import record

import interpmd as im
from interpmd.attribution.gauges.internal import balance, carried
from interpmd.decomposition.radicals import radical_scale
from interpmd.potentials.uncertainty import posterior
from interpmd.reference.calculator import as_calculator
from interpmd.shipped.recipes import RADICALS
from interpmd.structures.files import read_frames
from interpmd.trust.radicals import rows_of_radicals
from interpmd.trust.truth.own_rows import reference_rows

COMMAND = "python benchmarks/error_bars.py"
DATA = Path(__file__).parents[1] / "data"

#: Errors (eV, eV/Å) that are rounding, and rows that vanish.
NOTHING = 1e-6


def covered(errors: Iterable[np.ndarray], bars: Iterable[np.ndarray], unit: str) -> str:
    """Share of the numbers that lie within two error bars; numbers without either do not count."""
    error, bar = (np.concatenate([np.ravel(x) for x in each]) for each in (errors, bars))
    some = (np.abs(error) > NOTHING) | (bar > NOTHING)
    error, bar = error[some], bar[some]
    share = (np.abs(error) <= 2 * bar).mean()
    off, wide = (1e3 * np.sqrt(np.mean(x**2)) for x in (error, bar))
    return f"{100 * share:.0f} % of {len(error)}; RMS error {off:.1f} {unit}, bar {wide:.1f} {unit}"


def energies() -> dict[str, str]:
    """Energies and forces of all test frames, by subset."""
    figures = {}
    for name in ("malonaldehyde", "water", "alanine_dipeptide"):
        potential, found = im.load(name), {}
        frames = frames_of(name)
        if "calibrated_on" in potential.card.provenance:
            frames = frames[1::2]  # the others set the size of its error bars
        for atoms in frames:
            drawn = posterior(potential, potential.batch(atoms))
            predicted = potential.predict(atoms)
            energy = float(predicted.energy) - atoms.get_potential_energy()
            force = predicted.forces.numpy() - atoms.get_forces()
            each = found.setdefault(str(atoms.info.get("subset")), ([], [], [], []))
            numbers = (energy, float(drawn.energy_std[0]), force, drawn.forces_std.numpy())
            for values, more in zip(each, numbers, strict=True):
                values.append(np.asarray(more))
        for subset, each in sorted(found.items()):
            what = f"error bars, {name}, {subset}"
            figures[f"{what}: energies"] = covered(*each[:2], "meV")
            figures[f"{what}: force components"] = covered(*each[2:], "meV/Å")
    return figures


def internal() -> dict[str, str]:
    """Tensions of coordinates against those of the labels."""
    figures = {}
    systems = {
        "malonaldehyde": frames_of("malonaldehyde", (), 60),
        "alanine_dipeptide": frames_of("alanine_dipeptide", (), 20),
        "water": [a for a in frames_of("water") if len(a) == 18][:20],
    }
    for name, frames in systems.items():
        potential, errors, bars = im.load(name), [], []
        for atoms in frames:
            at = balance(coordinates_of([atoms]), atoms.positions)
            own = carried(at, atoms.get_forces()).rows
            errors.append(carried(at, potential.predict(atoms).forces.numpy()).rows - own)
            drawn = posterior(potential, potential.batch(atoms)).forces.numpy()
            rows = [carried(at, sample).rows for sample in drawn]
            bars.append(np.sqrt(np.mean(np.square(rows), axis=0)))
        of_rows = covered(errors, bars, "meV/Å")
        figures[f"error bars, {name}, gauge internal: components of rows"] = of_rows
    return figures


def of_calls(
    name: str, frames: Sequence[Atoms], targets: Callable[[Atoms], Sequence], **question
) -> str:
    """Rows of explanations of a shipped potential against GFN2-xTB's own."""
    potential = im.load(name)
    reference = as_calculator(potential.card.level)
    errors, bars = [], []
    for atoms in frames:
        for target in targets(atoms):
            explained = im.explain(potential, atoms, target, **question)
            own = reference_rows(explained, reference)
            ours, theirs = (_by_cluster(e) for e in (explained, own))
            for key, (value, spread) in ours.items():
                errors.append(value - theirs[key][0] if key in theirs else value)
                bars.append(spread)
    unit = "meV" if targets(frames[0])[0].unit == "eV" else "meV/Å"
    return covered(errors, bars, unit)


def _by_cluster(explanation: im.Explanation) -> dict:
    """Values and standard deviations; of energies those of several players."""
    rows = explanation.interactions if explanation.unit == "eV" else explanation
    rows = rows[~rows.clusters.remainder].merged()
    stds = np.zeros_like(rows.values) if rows.stds is None else rows.stds
    return dict(zip(rows.clusters.identities(), zip(rows.values, stds, strict=True), strict=True))


def molecules() -> dict[str, str]:
    """Rows of water molecules: energies of two to four, and forces."""
    figures = {}
    for count in (2, 3, 4, 6):
        frames = [a for a in frames_of("water") if len(a) == 3 * count]
        most = {2: 120, 3: 60}.get(count, 10)
        frames = frames[:: max(1, len(frames) // most)][:most]
        for what, targets in (
            ("energies", lambda atoms: [im.Energy()]),
            ("forces", lambda atoms: [im.Force(0), im.Force(4)]),
        ):
            figures[f"error bars, {count} waters, gauge molecules: {what} of rows"] = of_calls(
                "water", frames, targets, gauge="molecules"
            )
    return figures


def groups(names: Sequence[str] = ("alanine_dipeptide", "malonaldehyde")) -> dict[str, str]:
    """Rows of the groups of molecules, by the level of their own labels."""
    forces = {"alanine_dipeptide": (5, 8, 14), "malonaldehyde": (0, 3, 8)}
    figures = {}
    for name in names:
        for what, count, targets in (
            ("energies", 16, lambda atoms: [im.Energy()]),
            ("forces", 6, lambda atoms, name=name: [im.Force(k) for k in forces[name]]),
        ):
            title = f"error bars, {name}, gauge groups: {what} of rows"
            frames = frames_of(name, (), count)
            figures[title] = of_calls(name, frames, targets, gauge="groups", order=CUT)
    return figures


def atoms() -> dict[str, str]:
    """Rows of pairs and triplets of atoms without the others, by labels of such parts of test
    frames; every other one sized the bars. Beside them the bars of the posterior alone."""
    figures = {}
    for name in ("water", "malonaldehyde", "alanine_dipeptide", "copper"):
        potential, parts = im.load(name), read_frames(DATA / name / RADICALS)
        found, scale = rows_of_radicals(potential, parts[1::2], parts), radical_scale(potential)
        for what, unit, errors, bars in (
            ("energies of rows", "meV", found.energies, found.energy_stds),
            ("components of rows of forces", "meV/Å", found.forces, found.force_stds),
        ):
            bare = 100 * (abs(errors) <= 2 * bars / scale).mean()
            figures[f"error bars, {name}, gauge atoms: {what}"] = (
                f"{covered([errors], [bars], unit)}; bars {scale:.1f} times the posterior's, which "
                f"hold {bare:.0f} %"
            )
    return figures


PARTS = {
    "energies": energies,
    "internal": internal,
    "molecules": molecules,
    "groups": groups,
    "atoms": atoms,
}


def main(names: Sequence[str]) -> None:
    for name in names or PARTS:
        record(PARTS[name](), COMMAND)


if __name__ == "__main__":
    main(sys.argv[1:])
