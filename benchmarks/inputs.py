"""Inputs that went wrong somewhere: each must give the right value or one clear line.

python benchmarks/inputs.py [kind ...]    all kinds if none is named
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # killed processes, small disks

from hard_inputs import KINDS
from hard_inputs.case import RIGHT, SAID, SILENT, UNCLEAR
from results import record

import interpmd as im
from interpmd.errors import LabelError
from interpmd.fitting.checks.check import check_data
from interpmd.fitting.labels import known_isolated_energies

DATA = Path(__file__).parents[1] / "data"


def main(kinds: list[str]) -> None:
    """Run cases, print what is not handled, and record the counts if all kinds are asked for."""
    figures, total = {}, Counter()
    for kind in kinds:
        began, counts = time.perf_counter(), Counter()
        for case in KINDS[kind].cases():
            outcome, line = case.outcome()
            counts[outcome] += 1
            if outcome in (SILENT, UNCLEAR):
                print(f"  {outcome}: {kind}: {case.name}: {line[:300]}", flush=True)
        figures[f"inputs, {kind}"] = words(counts)
        total += counts
        print(f"{kind}: {words(counts)}, {time.perf_counter() - began:.0f} s", flush=True)
    if kinds == list(KINDS):
        figures["inputs, all"] = words(total)
        figures["inputs, false alarms on right labels"] = false_alarms()
        record(figures, "python benchmarks/inputs.py")


def words(counts: Counter) -> str:
    """Counts as they are recorded."""
    return (
        f"{counts.total()} cases: {counts[RIGHT]} right values, {counts[SAID]} clear lines, "
        f"{counts[UNCLEAR]} unclear, {counts[SILENT]} silent"
    )


def false_alarms() -> str:
    """Shipped sets, and right labels of the cases, that the checks have a word about."""
    sets = {p: im.read_frames(p) for p in sorted(DATA.glob("*/*.extxyz.gz"))}
    sets |= KINDS["labels"].materials()
    spoken = 0
    for name, frames in sets.items():
        try:
            found = check_data(frames, isolated=known_isolated_energies(frames)).findings
        except LabelError as error:
            found = ()
            print(f"  false alarm: {name}: {error}")
            spoken += 1
        for finding in found:
            if finding.weight != "note":
                print(f"  false alarm: {name}: {finding}")
        spoken += any(finding.weight != "note" for finding in found)
    count = sum(len(frames) for frames in sets.values())
    return f"{spoken} of {len(sets)} sets ({count} frames)"


if __name__ == "__main__":
    main(sys.argv[1:] or list(KINDS))
