"""Small molecules of carbon, hydrogen, nitrogen and oxygen, labelled by GFN2-xTB.

    python data/make_small_molecules.py [--workers 2]

Every ordinary molecule of up to five heavy atoms (`molecules.py`), those that are fragments of what
the potential will be asked for (`asked.py`), and more of six heavy atoms at random. Of each:
relaxed conformers, thermal displacements at 300 to 1200 K, bonds turned by any angle
(`geometries.py`).

Beside them, in files of their own: more molecules of six heavy atoms and scans of bonds that turn
(`wider.extxyz.gz`); displacements that no temperature reaches, folded molecules and pairs that
touch (`strained.extxyz.gz`); conformers of molecules that bind a hydrogen to themselves
(`close.extxyz.gz`); and frames where a potential went astray (`path.extxyz.gz`), which

    python data/make_small_molecules.py --let-loose FOLDER [--round 1]

makes: the potential in the folder, fitted to what is there, relaxes and shakes the training
molecules, and the frames that it is most wrong about are labelled and kept. Frames to which a
corrected force field leads (`led.extxyz.gz`: its minima, profiles and runs, `led.py`) are made by

    python data/make_small_molecules.py --lead FOLDER [--round 1]

in rounds of which each has the potential fitted to those before.

Geometries are kept molecule by molecule in scratch/small_molecules, labels grow in
scratch/small_molecules.*.raw.extxyz; the script can be stopped and started again.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import ase.io
import led
import numpy as np
import wider
from ase import Atoms
from asked import ASKED, CHOOSING, JUDGES, LACKING
from common import (
    DATA,
    SCRATCH,
    distinct,
    ship,
    shuffled,
    thinned,
    without,
    write,
    write_geometries,
)
from geometries import LEVEL, embedded, relaxed, rounded, seed_of, torsions, twisted, vibrating
from hydrogen_bonded import can_fold, close_conformers
from molecules import grown, ordinary
from rdkit import Chem
from tqdm import tqdm

from interpmd.errors import CalculationError
from interpmd.potentials.shelf import load_potential
from interpmd.reference import isolated_atoms, label
from interpmd.reference.torsions import torsion_profile
from interpmd.trust.known_fragments import known_fragments

NAME = "small_molecules"
GEOMETRIES = SCRATCH / NAME

#: Heavy atoms of the largest molecules, and how many of these are drawn at random.
LARGEST, DRAWN, SEED = 6, 250, 6031

#: Frames with a larger force in eV/Å are left out.
LARGEST_FORCE = 8.0

#: Molecules with a torsion profile, and its angles.
TURNED = [s for s in tuple(ASKED.values())[::4] if s not in JUDGES]
ANGLES = 12

#: Frames of training molecules that are held out.
HELD = 400

#: The same for strained molecules and pairs, and of frames where a potential went astray how many
#: are kept of each round: those that it is most wrong about.
LARGEST_STRAIN, ASTRAY = 25.0, 1_500

#: Digits of positions (they were rounded before they were labelled) and forces of these frames.
PLACES, DIGITS = 4, 3

#: The same of frames to which a corrected force field leads.
LED_PLACES, LED_DIGITS = led.PLACES, 2


@dataclass(frozen=True)
class Sampling:
    """Frames of one molecule.

    Attributes:
        conformers: how many, at most; relaxed by so many `steps`, or to forces of `converged`
            (eV/Å).
        temperatures: K, of one vibrating frame each.
        twisted: frames with turned bonds.
    """

    conformers: int
    steps: int
    converged: float
    temperatures: tuple[float, ...]
    twisted: int


#: Of training molecules, of unseen ones whose fragments are known, and of ones where some lack.
TRAINING = Sampling(2, 25, 0.05, (300.0, 600.0, 600.0, 1200.0), 3)
UNSEEN = Sampling(4, 150, 0.02, (300.0, 300.0, 600.0, 600.0), 2)
STRANGE = Sampling(1, 60, 0.05, (300.0, 300.0, 600.0, 600.0), 2)


def geometries(smiles: str, how: Sampling) -> list[Atoms]:
    """All frames of a molecule, from their file where there is one."""
    path = GEOMETRIES / f"{seed_of(smiles):08x}.extxyz"
    if not path.exists():
        write_geometries(path, _made(smiles, how))
    return ase.io.read(path, index=":") if path.stat().st_size else []


def _made(smiles: str, how: Sampling) -> list[Atoms]:
    molecule, conformers = embedded(smiles, how.conformers)
    lowest = [relaxed(atoms, LEVEL, how.steps, how.converged) for atoms in conformers]
    seed = seed_of(smiles)
    if not lowest:
        return []
    try:
        vibrations = vibrating(lowest[0], how.temperatures, 1, seed)
    except CalculationError:  # it reacted: its bonds are no longer those of the SMILES
        return []
    turns = twisted(molecule, lowest[0], how.twisted, seed)
    found = {"conformer": lowest, "vibration": vibrations, "torsion": turns}
    for subset, frames in found.items():
        for atoms in frames:
            atoms.info = {"subset": subset, "molecule": smiles, "charge": 0}
    return [atoms for frames in found.values() for atoms in frames]


def profile(smiles: str) -> list[Atoms]:
    """Frames along the dihedral in the middle of a molecule, from their file where there is one."""
    path = GEOMETRIES / f"{seed_of(smiles):08x}.torsion.extxyz"
    if not path.exists():
        write_geometries(path, _turned_around(smiles))
    return ase.io.read(path, index=":") if path.stat().st_size else []


def _turned_around(smiles: str) -> list[Atoms]:
    molecule, _ = embedded(smiles, 1)
    start = next(a for a in geometries(smiles, UNSEEN) if a.info["subset"] == "conformer")
    across = Chem.GetDistanceMatrix(molecule)

    def spread(dihedral: tuple[int, ...]) -> float:
        # of a bond in the middle even the farthest atom is near
        return float(max(across[dihedral[1]].max(), across[dihedral[2]].max()))

    chosen = min(torsions(molecule), key=spread, default=None)
    if chosen is None:
        return []
    found = []
    for atoms in torsion_profile(start, chosen, LEVEL, ANGLES, converged=0.02, steps=100):
        frame = rounded(atoms)
        about = {"subset": "profile", "molecule": smiles, "charge": 0}
        frame.info = {**about, "dihedral": list(chosen), "angle": atoms.info["angle"]}
        found.append(frame)
    return found


def asked_fragments() -> set[str]:
    """SMILES of the capped groups of the molecules that will be asked for."""
    found: set[str] = set()
    for smiles in ASKED.values():
        _, conformers = embedded(smiles, 1)
        # all of it is lacking where nothing is known
        found |= set(known_fragments(conformers, []).lacking) if conformers else set()
    return found


def chosen_molecules() -> list[str]:
    """SMILES of the training molecules."""
    by_size = grown(LARGEST)
    small = [s for size in range(1, LARGEST) for s in by_size[size] if size < 3 or ordinary(s)]
    fragments = sorted(asked_fragments() - set(small))
    covering = [s for s in fragments if Chem.MolFromSmiles(s).GetNumHeavyAtoms() <= LARGEST]
    rest = [smiles for smiles in by_size[LARGEST] if smiles not in covering]
    order = np.random.default_rng(SEED).permutation(len(rest)).tolist()
    drawn = [rest[k] for k in order if ordinary(rest[k])][:DRAWN]
    return [*small, *covering, *sorted(drawn)]


def more_molecules(chosen: list[str]) -> list[str]:
    """SMILES of all other ordinary molecules of six heavy atoms, which no fragment asks for."""
    return [s for s in grown(LARGEST)[LARGEST] if ordinary(s) and s not in chosen]


def heavy_atoms(many: list[str]) -> list[int]:
    """Their numbers of heavy atoms."""
    return [Chem.MolFromSmiles(smiles).GetNumHeavyAtoms() for smiles in many]


def wider_sets(workers: int) -> dict[str, list[Atoms]]:
    """Labelled frames far from minima, of more molecules, and where potentials went astray."""
    chosen = chosen_molecules()
    more = more_molecules(chosen)
    beyond = [atoms for s in [*chosen, *more] for atoms in wider.beyond_minima(s)]
    scans = [atoms for atoms in beyond if atoms.info["subset"] == "scan"]
    strained = [atoms for atoms in beyond if atoms.info["subset"] != "scan"]
    rounds = sorted(wider.GEOMETRIES.glob("round*.extxyz"))
    frames = {
        "wider": [*(atoms for s in more for atoms in geometries(s, TRAINING)), *scans],
        "strained": [*strained, *wider.pairs(chosen, heavy_atoms(chosen), SEED)],
        "path": [atoms for path in rounds for atoms in ase.io.read(path, index=":")],
        "close": [a for s in [*chosen, *more] if can_fold(s) for a in close_conformers(s)],
    }
    most = {"strained": LARGEST_STRAIN, "path": LARGEST_STRAIN}
    frames["led"] = distinct(led.rounds())
    return {
        name: thinned(labelled(name, some, workers), most.get(name, LARGEST_FORCE))
        for name, some in frames.items()
    }


def lead(folder: str, turn: int) -> None:
    """Let the corrected force field of a folder lead: its frames are kept, to be labelled."""
    chosen = chosen_molecules()
    many = [*chosen, *more_molecules(chosen)]
    found = led.led(many, heavy_atoms(many), load_potential(folder).calculator(), turn)
    print(f"{len(found)} frames")


def let_loose(folder: str, turn: int, workers: int) -> None:
    """Frames where the potential of a folder goes astray: those that it is most wrong about."""
    potential, chosen = load_potential(folder), chosen_molecules()
    many = [*chosen, *more_molecules(chosen)]
    both = wider.pairs(chosen, heavy_atoms(chosen), SEED)
    frames = wider.astray(many, heavy_atoms(many), both, potential.calculator(), turn)
    found = thinned(labelled("path", frames, workers), LARGEST_STRAIN)
    wrong = [
        np.abs(potential.predict(atoms).forces.numpy() - atoms.get_forces()).max()
        for atoms in found
    ]
    kept = [found[k] for k in sorted(np.argsort(wrong)[-ASTRAY:].tolist())]
    print(f"{len(kept)} of {len(found)} frames, force errors from {np.sort(wrong)[-len(kept)]:.2f}")
    for atoms in kept:
        atoms.calc = None
    write_geometries(wider.GEOMETRIES / f"round{turn}.extxyz", kept)


def labelled(name: str, frames: list[Atoms], workers: int) -> list[Atoms]:
    """Frames with labels, which are kept; those that cannot be labelled are left out."""
    raw = SCRATCH / f"small_molecules.{name}.raw.extxyz"
    return label(frames, LEVEL, out=raw, workers=workers, progress=False, invalid="skip")


def choosing(workers: int) -> list[Atoms]:
    """Of the molecules that choose between recipes: frames, starts by MMFF94, some profiles."""
    many = list(CHOOSING.values())
    frames = [atoms for smiles in many for atoms in geometries(smiles, UNSEEN)]
    for smiles in many:
        start = rounded(embedded(smiles, UNSEEN.conformers)[1][0])
        start.info = {"subset": "start", "molecule": smiles, "charge": 0}
        frames.append(start)
    frames += [atoms for smiles in many[::2] for atoms in profile(smiles)]
    return labelled("choosing", frames, workers)


def labelled_sets(workers: int) -> dict[str, list[Atoms]]:
    """Training frames, unseen molecules of known and of lacking fragments, and profiles."""
    sets = {
        "training": (chosen_molecules(), TRAINING),
        "known": (list(ASKED.values()), UNSEEN),
        "lacking": (list(LACKING.values()), STRANGE),
    }
    found = {}
    for name, (asked, how) in sets.items():
        bar = tqdm(asked, desc=name, mininterval=10, unit="molecule")
        frames = [atoms for smiles in bar for atoms in geometries(smiles, how)]
        found[name] = thinned(labelled(name, frames, workers), LARGEST_FORCE)
    bar = tqdm(TURNED, desc="profiles", mininterval=10, unit="molecule")
    found["profiles"] = labelled("profiles", [a for s in bar for a in profile(s)], 1)
    found["choosing"] = choosing(workers)
    return found | wider_sets(workers)


def write_sets(sets: dict[str, list[Atoms]]) -> None:
    """Files and card; molecules that judge the fit are kept apart from those that test it."""
    asked = sets["known"]
    sets["known"] = [a for a in asked if a.info["molecule"] not in JUDGES]
    sets["valid"] = [a for a in asked if a.info["molecule"] in JUDGES]
    for name in ("close", "led"):  # some of these may be test frames too
        sets[name] = without(sets[name], sets["training"])
    atoms = isolated_atoms("HCNO", LEVEL)
    for one in atoms:
        one.info["subset"] = "isolated"
    digests = {
        name: write(DATA / NAME / f"{name}.extxyz.gz", shuffled(sets[name], SEED))
        for name in ("known", "valid", "lacking")
    }
    digests["profiles"] = write(DATA / NAME / "profiles.extxyz.gz", sets["profiles"])
    for name in ("wider", "strained", "path", "close", "choosing"):
        some = shuffled(sets[name], SEED) if name != "choosing" else sets[name]
        digests[name] = write(DATA / NAME / f"{name}.extxyz.gz", some, PLACES, DIGITS)
    some = shuffled(sets["led"], SEED)
    digests["led"] = write(DATA / NAME / "led.extxyz.gz", some, LED_PLACES, LED_DIGITS)
    ship(
        NAME,
        [*sets["training"], *atoms],
        HELD,
        SEED,
        "Molecules of up to six atoms of C, N and O, with hydrogens: relaxed conformers, thermal "
        "displacements at 300 to 1200 K, bonds turned by any angle. test.extxyz.gz holds other "
        "frames of the same molecules; known.extxyz.gz, valid.extxyz.gz (to choose the strength of "
        "the ridge by) and lacking.extxyz.gz hold molecules of seven to nine heavy atoms, of which "
        "the training molecules contain all capped groups, and lack some; profiles.extxyz.gz the "
        "first ones along a dihedral. To be trained on as well: wider.extxyz.gz (more molecules of "
        "six heavy atoms, scans of bonds that turn), strained.extxyz.gz (large displacements, "
        "folded molecules, pairs that touch), close.extxyz.gz (more conformers of molecules that "
        "can bind a hydrogen to themselves), led.extxyz.gz (where a corrected force field leads: "
        "its minima, profiles and runs, of pairs too) and path.extxyz.gz (where a potential went "
        "astray). choosing.extxyz.gz holds other molecules of seven and eight heavy atoms, which "
        "choose between recipes of a fit.",
        molecules={name: len({a.info["molecule"] for a in sets[name]}) for name in sets},
        other_frames={name: len(sets[name]) for name in digests},
        other_sha256_of_text=digests,
    )


def main() -> None:
    """Make what is missing, label it, write the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--let-loose", metavar="FOLDER", help="a potential, to see it go astray")
    parser.add_argument("--lead", metavar="FOLDER", help="a corrected force field, to follow it")
    parser.add_argument("--round", type=int, default=1)
    chosen = parser.parse_args()
    if chosen.lead:
        lead(chosen.lead, chosen.round)
        return
    if chosen.let_loose:
        let_loose(chosen.let_loose, chosen.round, chosen.workers)
        return
    write_sets(labelled_sets(chosen.workers))


if __name__ == "__main__":
    main()
