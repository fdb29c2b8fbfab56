"""Conformers of GFN2-xTB: found by a short search and by potentials, beside a much longer search.

``python benchmarks/conformers.py [a part of a name ...]``. Searches and fits are kept in
``scratch/``, so that a run that was stopped goes on.
"""

from __future__ import annotations

import itertools
import sys

import numpy as np
from rdkit.Chem import AddHs as add_hydrogens
from results import ROOT, record

import interpmd as im
from interpmd.design.conformers import distance
from interpmd.design.geometry import guesses
from interpmd.design.scaffold import parsed

sys.path.insert(0, str(ROOT / "data"))
from common import SCRATCH

COMMAND = "python benchmarks/conformers.py"

KCAL = 23.060548

#: The reference, and frames of a potential that is fitted for one molecule.
LEVEL, FRAMES = "gfn2-xtb", 1000

#: RMSD in Å up to which conformers of two models are the same, all hydrogens counted.
ALIKE = 0.35


def longest_search(name: str, smiles: str) -> im.Conformers:
    """The reference's conformers by a search that spends far more than the default."""
    SCRATCH.mkdir(exist_ok=True)
    return im.conformers(
        smiles, seeds=60, turns=8, seed=7, out=SCRATCH / f"{name}-long.jsonl", workers=1
    )


def fitted_to(name: str, smiles: str) -> im.Potential:
    """A potential for one molecule, from dynamics begun at guesses of a force field."""
    folder, frames = SCRATCH / f"{name}-potential", SCRATCH / f"{name}-frames.extxyz"
    if not folder.exists():
        if not frames.exists():
            starts = [atoms for _, atoms in guesses(add_hydrogens(parsed(smiles)), 40, seed=3)][:30]
            made = im.sample(
                starts, n=FRAMES, temperatures=(300.0, 600.0), interval=15, equilibration=30
            )
            im.label(made, LEVEL, out=frames)
        labelled = im.read_frames(frames)
        labelled = [labelled[k] for k in np.random.default_rng(0).permutation(len(labelled))]
        alone = im.isolated_atoms(set(labelled[0].symbols))
        # with random channels, of which the figures are
        im.fit([*labelled[100:], *alone], test=labelled[:100], out=folder, refine=0)
    return im.load(folder)


def conformers(names: list[str]) -> None:
    """Lowest five conformers of GFN2-xTB by a long search, found by a potential or a short one."""
    molecules = {
        "alanine dipeptide": "CC(=O)NC(C)C(=O)NC",
        "hexane-1,2-diol": "CCCCC(O)CO",
        "N-acetylglycine": "CC(=O)NCC(=O)O",
        "ethyl lactate": "CCOC(=O)C(C)O",
    }
    cases = {
        ("alanine dipeptide", "potential"): lambda: im.load("alanine_dipeptide"),
        ("hexane-1,2-diol", "GFN2-xTB"): lambda: LEVEL,
        ("N-acetylglycine", "GFN2-xTB"): lambda: LEVEL,
        ("ethyl lactate", "GFN2-xTB"): lambda: LEVEL,
        ("hexane-1,2-diol", f"potential fitted to {FRAMES} frames"): lambda: fitted_to(
            "hexanediol", molecules["hexane-1,2-diol"]
        ),
        ("N-acetylglycine", f"potential fitted to {FRAMES} frames"): lambda: fitted_to(
            "acetylglycine", molecules["N-acetylglycine"]
        ),
        ("hexane-1,2-diol", "small_molecules"): lambda: im.load("small_molecules"),
        ("N-acetylglycine", "small_molecules"): lambda: im.load("small_molecules"),
    }
    for (name, words), model in cases.items():
        title = f"conformers of {name}, {words}"
        if names and not any(part in title for part in names):
            continue
        smiles = molecules[name]
        long = longest_search(name.replace(" ", "-"), smiles)
        short = im.conformers(smiles, model(), progress=False)
        record({title: compared(smiles, long, short)}, COMMAND)


def compared(smiles: str, long: im.Conformers, short: im.Conformers) -> str:
    """How many of the lowest five were found, and whether their ranks are right."""
    whole, lowest = add_hydrogens(parsed(smiles)), range(min(5, len(long)))
    found = {}
    for k in lowest:
        away = [distance(whole, long[k], other, hydrogens=True) for other in short.structures]
        if min(away) < ALIKE:
            found[k] = int(np.argmin(away))
    words = f"{len(found)} of the lowest {len(lowest)} of {len(long)} found"
    deviations = short.deviations
    if deviations is None:
        energies = [a.get_potential_energy() for a in short.structures]
        below = min(energies) - long[0].get_potential_energy()
        return f"{words}; its lowest {KCAL * below:+.3f} kcal/mol from that of the long search"
    right = near = pairs = 0
    errors = []
    for k, j in itertools.combinations(found, 2):
        own = short.energies[found[j]] - short.energies[found[k]]
        true = long.energies[j] - long.energies[k]
        bar = np.sqrt(((deviations[found[j]] - deviations[found[k]]) ** 2).mean())
        errors.append(abs(own - true))
        pairs += 1
        right += own * true >= 0 or min(abs(own), abs(true)) <= 2 * bar
        near += abs(own - true) <= 2 * bar
    words += f"; of {pairs} differences {near} within two error bars, order right within them for "
    return words + f"{right}; largest error {KCAL * max(errors, default=0):.2f} kcal/mol"


if __name__ == "__main__":
    conformers(sys.argv[1:])
