"""The free energy of malonaldehyde's proton with classical and quantum nuclei, as a small table.

    python data/make_malonaldehyde_quantum.py

i-PI moves the beads. The runs grow in scratch/quantum, and the script can be stopped and started
again; some minutes of one core. The table goes to data/malonaldehyde/quantum.json.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from common import SCRATCH

import interpmd as im
from interpmd.demo import MALONALDEHYDE

HERE = Path(__file__).parent / "malonaldehyde"

TRANSFER = im.proton_transfer(8, 4, 0)

#: Steps of 0.5 fs by number of beads, and steps between samples.
RUNS = {1: 40000, 8: 8000, 16: 5000}
INTERVAL = 10

#: eV, by which the barrier is lowered while the beads move; it is taken out again.
DEPTH = 0.12

BINS, RANGE = 17, (-0.85, 0.85)


def main() -> None:
    potential = im.lowered(im.load("malonaldehyde"), TRANSFER, DEPTH)
    curves = {}
    for beads, steps in RUNS.items():
        run = im.path_integrals(
            potential,
            MALONALDEHYDE,
            beads,
            steps,
            interval=INTERVAL,
            seed=beads,
            out=SCRATCH / "quantum" / f"{beads}",
            progress=False,
        )
        free = run.free_energy(TRANSFER, bins=BINS, range=RANGE, symmetric=True)
        print(run, free, sep="\n", flush=True)
        lowest = np.nanmin(free.energies)
        curves[str(beads)] = {
            "samples": len(run),
            "independent": round(free.independent, 1),
            "energy_eV": [round(float(x - lowest), 5) for x in free.energies],
            "std_eV": [round(float(x), 5) for x in free.stds],
            "spread_A": [round(x, 4) for x in run.spread(8)],
        }
    table = {
        "coordinate": TRANSFER.name,
        "unit": TRANSFER.unit,
        "temperature_K": 300.0,
        "lowered_eV": DEPTH,
        "places": np.round(free.places, 4).tolist(),
        "beads": curves,
        "regenerate": "python data/make_malonaldehyde_quantum.py",
    }
    (HERE / "quantum.json").write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
