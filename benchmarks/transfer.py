"""Does the potential of small molecules carry over to molecules that it has not seen?

``python benchmarks/transfer.py [fragments forces energies picture]``, of which the last makes
docs/transfer.png. Unseen molecules have seven to nine
heavy atoms, training molecules six at most. Force errors are set beside those of other frames of
the training molecules. Conformers and torsion profiles: every method goes to its own minima, and
the mean of its energies is its own zero (`im.compare_force_fields`).
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Sequence
from functools import cache

import numpy as np
import pandas as pd
from ase import Atoms
from results import ROOT, record

import interpmd as im
from interpmd.potentials.fingerprint import fingerprint

COMMAND = "python benchmarks/transfer.py"

NAME = "small_molecules"

#: The potentials that are judged, by what they are called in tables and figures.
JUDGED = {"potential": NAME, "corrected GFN-FF": "small_molecules_gfnff"}

#: Unseen molecules with a profile, for the notebook: errors by method, in eV/Å and kcal/mol.
TABLE = ROOT / "data" / NAME / "force_fields.csv"


@cache
def potential(name: str = NAME) -> im.Potential:
    return im.load(name)


def frames(part: str) -> list[Atoms]:
    return im.read_frames(ROOT / "data" / NAME / f"{part}.extxyz.gz")


def by_molecule(many: Sequence[Atoms]) -> dict[str, list[Atoms]]:
    found: dict[str, list[Atoms]] = {}
    for atoms in many:
        found.setdefault(atoms.info["molecule"], []).append(atoms)
    return found


def force_errors(many: Sequence[Atoms], name: str = NAME) -> np.ndarray:
    """Errors of all components in eV/Å."""
    return np.concatenate(
        [(potential(name).predict(a).forces.numpy() - a.get_forces()).ravel() for a in many]
    )


def rmse(errors: np.ndarray) -> float:
    """In meV/Å."""
    return 1000 * float(np.sqrt((errors**2).mean()))


def fragments() -> dict[str, str]:
    """Whether fragments are known, and what is said of molecules where they are not."""
    counts = {}
    for part in ("known", "lacking"):
        found = [
            im.known_fragments(many[0], potential()) for many in by_molecule(frames(part)).values()
        ]
        counts[part] = sum(f.covered for f in found), len(found)
    return {
        "transfer, unseen molecules: all fragments known": (
            f"{counts['known'][0]} of {counts['known'][1]} that were asked for, "
            f"{counts['lacking'][0]} of {counts['lacking'][1]} that were left out on purpose"
        )
    }


def forces() -> dict[str, str]:
    """Force errors of training molecules and of unseen ones."""
    figures: dict[str, str] = {}
    for called, name in JUDGED.items():
        figures |= _forces_of(name, "" if name == NAME else f"{called}, ")
    return figures


def _forces_of(name: str, called: str) -> dict[str, str]:
    base, figures = rmse(force_errors(frames("test"), name)), {}
    title = f"transfer, {called}training molecules, other frames: force RMSE"
    figures[title] = f"{base:.0f} meV/Å"
    words = {"known": "fragments known", "lacking": "a fragment lacking"}
    for part, what in words.items():
        many = by_molecule(frames(part))
        each = {smiles: rmse(force_errors(some, name)) for smiles, some in many.items()}
        whole = rmse(force_errors(frames(part), name))
        worst = max(each, key=lambda smiles: each[smiles])
        figures[f"transfer, {called}unseen molecules, {what}: force RMSE"] = (
            f"{whole:.0f} meV/Å, {whole / base:.2f} times; median molecule "
            f"{np.median([*each.values()]) / base:.2f} times, worst {each[worst] / base:.1f} "
            f"({worst}); {len(each)} molecules, {sum(map(len, many.values()))} frames"
        )
    return figures


def compared(
    smiles: str, many: Sequence[Atoms], profile: Sequence[Atoms], relax: bool
) -> pd.DataFrame:
    """Errors of every method for one molecule, from files where they were made before: force fields
    for good, those of potentials under their fingerprints."""
    place = f"{zlib.crc32(smiles.encode()):08x}{'' if relax else '.held'}"
    parts: dict[str, dict] = {f"{place}.csv": {}}
    for called, name in reversed(JUDGED.items()):
        judged = {"models": {called: potential(name)}, "beside": ()}
        parts[f"{place}.{_digest(name)}.csv"] = judged
    tables = []
    for file, models in parts.items():
        place = ROOT / "scratch" / "transfer" / file
        if not place.exists():
            found = im.compare_force_fields(
                many,
                minima=[atoms for atoms in many if atoms.info["subset"] == "conformer"],
                dihedral=[int(a) for a in profile[0].info["dihedral"]],
                profile=profile,
                relax=relax,
                **models,
            )
            place.parent.mkdir(parents=True, exist_ok=True)
            table = found.to_frame().assign(smiles=smiles, minima=len(found.conformers))
            table.reset_index().round(4).to_csv(place, index=False)
        tables.append(pd.read_csv(place))
    return pd.concat(tables[::-1], ignore_index=True)


@cache
def _digest(name: str) -> str:
    return fingerprint(potential(name).terms)[:8]


def energies() -> dict[str, str]:
    """Conformers and torsion profiles, force fields beside the potential."""
    known, profiles = by_molecule(frames("known")), by_molecule(frames("profiles"))
    figures, tables = {}, []
    for relax, where in ((False, "at its reference's geometries"), (True, "relaxed")):
        table = pd.concat(
            [compared(s, known[s], profile, relax) for s, profile in sorted(profiles.items())]
        )
        tables.append(table.assign(relaxed=relax))
        for quantity, column in (
            ("conformer energies", "conformers_mae_kcal"),
            ("torsion profiles", "torsion_mae_kcal"),
        ):
            of_models = table.groupby("model", sort=False)[column]
            means = of_models.agg(["mean", "median", "count"])
            figures[f"transfer, unseen molecules, {quantity}, {where}: MAE"] = (
                "; ".join(
                    f"{name} {row['mean']:.2f} (median {row['median']:.2f})"
                    for name, row in means.iterrows()
                )
                + f" kcal/mol, {int(means['count'].iloc[0])} molecules"
            )
    each = tables[0].groupby("model", sort=False).force_rmse_eV_A.median()
    figures["transfer, unseen molecules: force RMSE by method"] = (
        "; ".join(f"{name} {1000 * value:.0f}" for name, value in each.items())
        + f" meV/Å (median of {len(profiles)} molecules)"
    )
    pd.concat(tables).to_csv(TABLE, index=False)
    return figures


def picture() -> dict[str, str]:
    """A molecule of which the potential lacks a group."""
    asked = by_molecule(frames("lacking"))["CCCC(C)[N+](=O)[O-]"]
    axes = im.known_fragments(asked, potential()).plot()
    axes[0].get_figure(root=True).savefig(ROOT / "docs" / "transfer.png", dpi=100)
    return {}


PARTS = {"fragments": fragments, "forces": forces, "energies": energies, "picture": picture}


def main(names: Sequence[str]) -> None:
    for name in names or PARTS:
        record(PARTS[name](), COMMAND)


if __name__ == "__main__":
    main(sys.argv[1:])
