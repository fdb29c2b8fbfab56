"""Strength of the hydrogen bond of 1,000 substituted malonaldehydes by GFN2-xTB.

``python data/make_malonaldehydes.py``. Ten groups at each of three places, open and closed form
relaxed, two guesses each: about an hour on one core, resumable. Beside it stands which molecules
are not those that were meant, as bonds that RDKit finds in the relaxed structures say.
``--part 0/2`` and ``--part 1/2`` share the work between two processes, ``--minutes`` ends one
early. When all parts are there the table is written, one row a molecule.
"""

from __future__ import annotations

import argparse
import json
import time

from common import DATA, SCRATCH
from rdkit import Chem
from rdkit.Chem import rdDetermineBonds

from interpmd.design.evaluate import Effort, Evaluated, evaluate
from interpmd.design.objectives import HydrogenBond
from interpmd.design.scaffold import space_of
from interpmd.design.store import DesignStore, write_table

SCAFFOLD = "[O:11]=[C:12]([*:1])/[C:13]([*:2])=[C:14]([*:3])\\[O:15][H:16]"
GROUPS = ("CH3", "CF3", "CN", "CCH", "NH2", "OCH3", "F", "Cl", "NO2")
LEVEL = "gfn2-xtb"
OBJECTIVE, EFFORT = HydrogenBond(hydrogen=16, acceptor=11), Effort()

SPACE = space_of(SCAFFOLD, GROUPS)


def about() -> dict:
    return {"scaffold": SCAFFOLD, "objective": OBJECTIVE.key(), "level": LEVEL}


def store(part: int, parts: int) -> DesignStore:
    SCRATCH.mkdir(exist_ok=True)
    return DesignStore(SCRATCH / f"malonaldehydes_{part}_of_{parts}.jsonl", SPACE, about())


def compute(part: int, parts: int, minutes: float) -> None:
    until = time.monotonic() + 60 * minutes
    with store(part, parts) as file:
        known = {one.design for one in file.load()}
        for number, design in enumerate(SPACE.designs()):
            if number % parts != part or design in known:
                continue
            if time.monotonic() > until:
                return
            file.append(evaluate(SPACE, OBJECTIVE, LEVEL, EFFORT, design))


def changed(one: Evaluated) -> bool:
    """Whether bonds that RDKit finds in a relaxed structure are not those of the molecule."""
    molecule = SPACE.molecule(one.design)
    meant = {frozenset((b.GetBeginAtomIdx(), b.GetEndAtomIdx())) for b in molecule.GetBonds()}
    for atoms in one.structures.values():
        seen = Chem.RWMol()
        for number in atoms.numbers.tolist():
            seen.AddAtom(Chem.Atom(number))
        conformer = Chem.Conformer(len(atoms))
        for k, place in enumerate(atoms.positions.tolist()):
            conformer.SetAtomPosition(k, place)
        seen.AddConformer(conformer)
        rdDetermineBonds.DetermineConnectivity(seen)
        if meant != {frozenset((b.GetBeginAtomIdx(), b.GetEndAtomIdx())) for b in seen.GetBonds()}:
            return True
    return False


def ship(parts: int) -> None:
    found = {}
    for part in range(parts):
        with store(part, parts) as file:
            found |= {one.design: one for one in file.load()}
    missing = [design for design in SPACE.designs() if design not in found]
    if missing:
        print(f"{len(missing)} of {len(SPACE)} molecules are still to be computed")
        return
    folder = DATA / "malonaldehydes"
    folder.mkdir(exist_ok=True)
    write_table(folder / "hydrogen_bonds.csv.gz", SPACE, [found[d] for d in SPACE.designs()])
    card = {
        "name": "malonaldehydes",
        "description": "Energy of the open form less that of the closed form of substituted "
        "malonaldehydes, both relaxed; why a value is not that of the molecule that was meant.",
        "scaffold": SCAFFOLD,
        "groups": ["H", *GROUPS],
        "level": LEVEL,
        "units": {"value": "eV"},
        "molecules": len(SPACE),
        "sound": sum(one.sound for one in found.values()),
        "changed, by RDKit": [SPACE.key(d) for d in SPACE.designs() if changed(found[d])],
        "effort": vars(EFFORT),
        "seconds": round(sum(one.seconds for one in found.values())),
        "regenerate": "python data/make_malonaldehydes.py",
    }
    (folder / "hydrogen_bonds.json").write_text(json.dumps(card, indent=2) + "\n")
    print(json.dumps(card, indent=2))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--part", default="0/1")
    parser.add_argument("--minutes", type=float, default=1e6)
    asked = parser.parse_args()
    part, parts = map(int, asked.part.split("/"))
    compute(part, parts, asked.minutes)
    ship(parts)
