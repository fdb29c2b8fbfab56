"""What a penalty on the forces of rows does: their size, how they cancel, and how two fits agree.

``python benchmarks/least_rows.py [malonaldehyde silicon]``. Two fits to disjoint halves of the data
without penalty and with it: for malonaldehyde on request, for silicon by itself.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.build import bulk
from gauges import frames_of
from results import ROOT, record

import interpmd as im
from interpmd.potentials import StillingerWeber
from interpmd.trust.reproducibility import halves
from interpmd.trust.rows import correlation
from interpmd.trust.truth.frames import labelled

COMMAND = "python benchmarks/least_rows.py"

SMALL = {"channels": (24, 24, 20, 14), "lmax": (0, 4, 3, 2), "basis": 6, "terms": {"repulsion": {}}}

SILICON = {"channels": (16, 60, 30, 12), "lmax": (0, 3, 3, 2), "basis": 10, "functions": 16}


def row_forces(
    potential: im.Potential, atoms: Atoms, order: int
) -> tuple[dict[tuple, np.ndarray], float]:
    """Forces of the rows of the expansion on their atoms, and how much larger their sum is than
    the whole forces."""
    expansion = im.Potential({"expansion": potential.terms["expansion"]}, potential.elements)
    table = im.decompose(expansion, atoms, order=order)
    rows: dict[tuple, np.ndarray] = {}
    names = list(zip(table.order.tolist(), table.clusters.sited().identities(), strict=True))
    for owner, atom, force in zip(
        table.owner, table.member_atoms, table.member_forces, strict=True
    ):
        key = (*names[owner], int(atom))
        rows[key] = rows.get(key, 0.0) + force
    whole = np.linalg.norm(potential.predict(atoms).forces.numpy(), axis=1).sum()
    sizes = sum(float(np.linalg.norm(force)) for key, force in rows.items() if key[0] > 1)
    return {key: force for key, force in rows.items() if key[0] > 1}, sizes / whole


def compare(fits: Sequence[im.Potential], frames: Sequence[Atoms], order: int) -> str:
    """Sizes of pair rows, cancellation, and agreement of two fits, in words."""
    sizes, ratios, numbers = [], [], {2: ([], []), 3: ([], [])}
    for atoms in frames:
        (first, ratio), (second, other) = (row_forces(fit, atoms, order) for fit in fits)
        ratios += [ratio, other]
        for key in {*first, *second}:
            values = [rows.get(key, np.zeros(3)) for rows in (first, second)]
            if key[0] == 2:
                sizes += [np.linalg.norm(value) for value in values]
            if key[0] in numbers:
                for known, value in zip(numbers[key[0]], values, strict=True):
                    known.extend(value)
    agreement = ", ".join(f"{correlation(*map(np.array, n)):.2f}" for n in numbers.values())
    return (
        f"pair rows {np.mean(sizes):.3f} eV/Å, sum of rows over force {np.mean(ratios):.0f}, two "
        f"fits agree on pairs, triplets with r {agreement}"
    )


def malonaldehyde() -> dict[str, str]:
    """The molecule, where the gauge of atoms is not the right one: on request."""
    data = im.read_frames(ROOT / "data" / "malonaldehyde" / "train.extxyz.gz")
    test = frames_of("malonaldehyde")
    figures = {}
    for weight in (0.0, 1e-5, 1e-4):
        reports = [
            im.fit(
                half,
                test=test,
                spec=SMALL | {"least_rows": weight},
                energy_weight=20.0,
                ridge=1e-7,
                progress=False,
            )
            for half in halves(data)
        ]
        text = compare([r.potential for r in reports], test[::30], 5)
        errors = [r.errors().loc["test", "force_rmse_meV/A"] for r in reports]
        name = f"least rows, malonaldehyde, rows of atoms, weight {weight:g}"
        figures[name] = f"{text}; force RMSE {np.mean(errors):.1f} meV/Å"
    return figures


def crystals(truth: StillingerWeber, count: int, seed: int) -> list[Atoms]:
    """Cells of 64 atoms off their places, strained a little."""
    rng, frames = np.random.default_rng(seed), []
    for _ in range(count):
        atoms = bulk("Si", a=5.43 * rng.uniform(0.98, 1.02), cubic=True).repeat(2)
        atoms.positions += rng.normal(0, 0.08, atoms.positions.shape)
        frames.append(atoms)
    return labelled(frames, im.Potential([truth]), "crystal")


def silicon() -> dict[str, str]:
    """Crystals of Stillinger-Weber silicon, by default."""
    truth = StillingerWeber()
    data, test = (crystals(truth, n, seed) for n, seed in ((120, 0), (4, 1)))
    figures = {}
    for weight in (0.0, None):
        reports = [
            im.fit(
                half,
                test=test,
                spec=SILICON | {"least_rows": weight, "cutoff": truth.cutoff},
                isolated_energies={"Si": 0.0},
                progress=False,
            )
            for half in (data[::2], data[1::2])
        ]
        text = compare([r.potential for r in reports], test[:1], 3)
        errors = [r.errors().loc["test", "force_rmse_meV/A"] for r in reports]
        chosen = [r.potential.card.provenance["least_rows"] for r in reports]
        name = "without" if weight == 0 else "by default"
        figures[f"least rows, silicon crystal, {name}"] = (
            f"{text}; force RMSE {np.mean(errors):.1f} meV/Å; weights "
            + ", ".join(f"{w:g}" for w in chosen)
        )
    return figures


PARTS = {"malonaldehyde": malonaldehyde, "silicon": silicon}


def main(names: Sequence[str]) -> None:
    for name in names or PARTS:
        record(PARTS[name](), COMMAND)


if __name__ == "__main__":
    main(sys.argv[1:])
