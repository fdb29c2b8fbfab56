"""How few labels are enough: corrections of a baseline, choice of labels, updates, error bars.

``python benchmarks/labels.py [measure PART [SEED ...] | figures | picture]``

``measure`` makes lines of the table data/labels.csv that are not there yet, one fit at a time, so
that it can be stopped and goes on; ``figures`` records what the table says; ``picture`` makes
docs/labels.png. Parts: delta, refit (time of updates), active (a long run with few events, labelled
by GFN2-xTB), active-rare and active-shipped (DFT), cover, delta-alanine (GFN1-xTB corrected to
GFN2-xTB), and delta-acac and refit-acac, which need the folder of BOTNet's acetylacetone in ACAC.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ase import Atoms
from ase.io import write
from results import ROOT, record
from scipy.stats import spearmanr

import interpmd as im
from interpmd.fitting import labels
from interpmd.fitting.active.branch import errors_of
from interpmd.fitting.members import OF_CORRECTIONS
from interpmd.fitting.normal import rows_of
from interpmd.fitting.report import Evaluation
from interpmd.potentials.uncertainty import uncertainty
from interpmd.reference.bias import TransferRestraint
from interpmd.reference.trajectories import langevin

sys.path.insert(0, str(ROOT / "data"))

from common import tagged
from make_malonaldehyde import O1, O2, PROTON, mirrored, relaxed
from make_malonaldehyde import START as MINIMUM

COMMAND = "python benchmarks/labels.py"
TABLE = ROOT / "data" / "labels.csv"

SEEDS, SIZES, START, BATCH = (0, 1, 2), (25, 50, 100, 200), 25, 10

#: Of the run with few events: frames at 300 K, labels that a choice starts with, and numbers of
#: labels.
THERMAL, START_OF_RUN, SIZES_OF_RUN = 1000, 10, (25, 50, 100)

#: Frames at 300 K and on the way of the proton by which the fits to that run are judged.
JUDGES_OF_RUN = 100, 60

#: Transfer frames in the pool where they are rare: about as many as an event leaves in a long run.
RARE = 24

#: Labels of the single fits whose intervals are judged.
COVERED = 100

#: Corrections of labels that were chosen, and labels that they begin with.
CHOSEN, FIRST = "delta, chosen", 5

#: The same, chosen for the forces of so many structures of a run by the baseline at so many kelvin.
FOR_HOT, HOT, KELVIN = "delta, chosen for 600 K", 60, 600.0

#: Direct learning with as many members as few labels of a correction have.
MORE = f"direct, {OF_CORRECTIONS} members"

#: Fits of "delta": what is shown first comes first.
RUNS = (
    (25, "delta"), (25, CHOSEN), (25, FOR_HOT), (200, "direct"), (25, "direct"), (200, MORE),
)  # fmt: skip

#: Those of them that decide whether a correction is worth it.
FEW_RUNS = ((25, "delta"), (25, CHOSEN), (200, "direct"))

#: Labels and baseline of molecules.
METHODS = {"alanine dipeptide": ("GFN2-xTB", "GFN1-xTB")}
USUAL = ("DFT", "GFN2-xTB")

#: Two-sided interval of 90 % of a normal distribution in standard deviations.
NINETY = 1.6449


def malonaldehyde(part: str) -> list[Atoms]:
    return im.read_frames(ROOT / "data" / "malonaldehyde" / f"{part}.extxyz.gz")


def acetylacetone(part: str) -> list[Atoms]:
    folder = Path(os.environ["ACAC"])
    atoms = im.read_frames(folder / "isolated_atoms.xyz")
    if part == "train":
        return [*im.read_frames(folder / "train_300K.xyz"), *atoms]
    return [
        frame
        for kelvin in (300, 600)
        for frame in im.read_frames(folder / f"test_{kelvin}K.xyz")[::7]
    ]


def alanine_dipeptide(part: str) -> list[Atoms]:
    frames = im.read_frames(ROOT / "data" / "alanine_dipeptide" / f"{part}.extxyz.gz")
    return [a for a in frames if labels.is_isolated(a)] + [
        a for a in frames if not labels.is_isolated(a)
    ][::4]


def subset(atoms: Atoms) -> str:
    return str(atoms.info.get("subset", ""))


def is_transfer(atoms: Atoms) -> bool:
    return subset(atoms) == "transfer"


class Lines:
    """The table, of which lines are made once."""

    def __init__(self) -> None:
        self.table = pd.read_csv(TABLE) if TABLE.exists() else pd.DataFrame()

    def has(self, **names: Any) -> bool:
        known = self.table
        for name, value in names.items():
            if name not in known:
                return False
            known = known[known[name] == value]
        return len(known) > 0

    def add(self, line: dict[str, Any]) -> None:
        print(line, flush=True)
        rounded = {k: round(v, 4) if isinstance(v, float) else v for k, v in line.items()}
        fresh = pd.read_csv(TABLE) if TABLE.exists() else pd.DataFrame()
        self.table = pd.concat([fresh, pd.DataFrame([rounded])], ignore_index=True)
        self.table.to_csv(TABLE, index=False)


def errors(found: Evaluation) -> dict[str, float]:
    """Errors of all frames and of the transfer frames, in meV and meV/Å."""
    short = {"energy_rmse_meV": "energy", "force_rmse_meV/A": "force", "worst_force_meV/A": "worst"}
    line = {short[name]: value for name, value in errors_of(found).items()}
    names = np.array(found.subsets)
    if (names == "transfer").any():
        here = names == "transfer"
        of_atom = np.repeat(here, found.n_atoms)
        part = Evaluation(
            found.energy[here], found.forces[of_atom], found.n_atoms[here],
            found.numbers[of_atom], ("transfer",) * int(here.sum()),
        )  # fmt: skip
        line |= {f"transfer_{short[name]}": value for name, value in errors_of(part).items()}
    return line


def ordered(frames: Sequence[Atoms], seed: int) -> tuple[list[Atoms], list[Atoms]]:
    """Frames in the order in which chance takes them, and the isolated atoms."""
    single = [a for a in frames if labels.is_isolated(a)]
    many = [a for a in frames if not labels.is_isolated(a)]
    return [many[k] for k in np.random.default_rng(seed).permutation(len(many))], single


def fitted(
    frames: Sequence[Atoms], single: Sequence[Atoms], test: Sequence[Atoms], seed: int, **options
) -> tuple[im.FitReport, dict[str, Any]]:
    wall, processor = time.perf_counter(), time.process_time()
    report = im.fit([*frames, *single], test=test, seed=seed, progress=False, **options)
    share = report.seconds / (time.perf_counter() - wall)  # without evaluation
    return report, line_of(report) | {"seconds": share * (time.process_time() - processor)}


def line_of(report: im.FitReport) -> dict[str, Any]:
    """Errors on the test frames, and how many weights."""
    weights = report.potential.card.provenance["weights"]
    return errors(report.evaluations["test"]) | {"weights": weights}


def delta(
    lines: Lines,
    seeds: Sequence[int],
    molecule: str,
    frames: Callable[[str], list[Atoms]],
    runs: Sequence[tuple[int, str]] = RUNS,
) -> None:
    """Direct learning and corrections of a baseline, random labels and, of corrections, chosen."""
    usual = METHODS.get(molecule, USUAL)[1].lower()
    test = [a for a in frames("test") if not labels.is_isolated(a)]
    for seed in seeds:
        many, single = ordered(frames("train"), seed)
        for count, how in runs:
            names = {"part": "delta", "molecule": molecule, "how": how, "seed": seed,
                     "labels": count}  # fmt: skip
            if lines.has(**names):
                continue
            if how in (CHOSEN, FOR_HOT):
                goal = None
                if how == FOR_HOT:
                    run = langevin(many[0], n=HOT, temperature=KELVIN, interval=20, seed=seed)
                    goal = im.Goal(run)
                report = im.learn(
                    many[:FIRST], many[FIRST:], test=test, baseline=usual, goal=goal,
                    budget=count, compare=False, seed=seed, progress=False,
                )  # fmt: skip
                lines.add(names | line_of(report.fit))
                continue
            baseline = usual if how == "delta" else None
            members = OF_CORRECTIONS if how == MORE else None
            report, line = fitted(
                many[:count], single, test, seed, baseline=baseline, members=members
            )
            if baseline and not lines.has(part="delta", molecule=molecule, how="baseline"):
                alone = errors(report.evaluations["baseline alone"])
                lines.add(names | {"how": "baseline", "labels": 0, "seed": 0} | alone)
            lines.add(names | line)


def refits(
    lines: Lines, seeds: Sequence[int], molecule: str, frames: Callable[[str], list[Atoms]]
) -> None:
    """Time of updates of direct fits."""
    for seed in seeds:
        if not lines.has(part="refit", molecule=molecule, seed=seed):
            many, single = ordered(frames("train"), seed)
            report, line = fitted(many[:200], single, many[-2:], seed)
            refit(lines, report, line["seconds"], many[:240], seed, molecule)


def _with_transfers(
    some: Sequence[Atoms], barrier: Sequence[Atoms] = (), **given: Any
) -> tuple[im.FitReport, dict[str, Any]]:
    """A fit to some frames, its errors, that of a barrier (meV) if its two ends are given, and how
    many of the frames are transfers."""
    report, line = fitted(some, **given)
    line["transfers"] = sum(map(is_transfer, some))
    if barrier:
        bottom, top = (float(report.potential.predict_unwatched(a).energy) for a in barrier)
        true = labels.energies(barrier)
        line["barrier"] = 1e3 * abs(top - bottom - float(true[1] - true[0]))
    return report, line


def pool_of(frames: Sequence[Atoms], kind: str, seed: int) -> list[Atoms]:
    """The shipped frames, or those with few transfers among them."""
    if kind == "shipped":
        return list(frames)
    rare = [a for a in frames if is_transfer(a)]
    few = np.random.default_rng([seed, 3]).permutation(len(rare))[:RARE]
    return [a for a in frames if not is_transfer(a)] + [rare[k] for k in sorted(few)]


def of_run() -> tuple[list[Atoms], list[Atoms], list[Atoms]]:
    """A run of malonaldehyde at 300 K with few frames in which the proton is on its way; frames of
    both kinds from other runs; the minimum and the top. All with energies and forces of GFN2-xTB.

    Returns:
        Pool, test frames, and two structures, the minimum first.
    """
    folder = ROOT / "scratch"
    files = [folder / f"run_of_malonaldehyde_{name}.extxyz" for name in ("pool", "test", "barrier")]
    if not all(file.exists() for file in files):
        folder.mkdir(exist_ok=True)
        minimum = relaxed(MINIMUM)
        top = relaxed(minimum, TransferRestraint(O1, PROTON, O2, 0.0, 200.0))
        thermal, on_the_way = JUDGES_OF_RUN
        made = (
            _run(minimum, top, THERMAL, RARE, 1),
            _run(minimum, top, thermal, on_the_way, 2),
            [minimum, top],
        )
        for file, frames in zip(files, made, strict=True):
            write(file, im.label(frames, "gfn2-xtb", progress=False))
    pool, test, barrier = (im.read_frames(file) for file in files)
    return pool, test, barrier


def _run(minimum: Atoms, top: Atoms, thermal: int, on_the_way: int, seed: int) -> list[Atoms]:
    """Frames at 300 K, half of them of each enol, and of runs that are held near the top."""
    found = []
    for number, start in enumerate((minimum, mirrored(minimum))):
        many = langevin(start, n=thermal // 2, interval=20, seed=10 * seed + number)
        found += tagged(many, "md300")
    windows = (-0.25, -0.1, 0.1, 0.25)
    for number, target in enumerate(windows):
        held = [TransferRestraint(O1, PROTON, O2, target, 15.0)]
        many = langevin(
            top, n=on_the_way // len(windows), interval=60, seed=10 * seed + 2 + number,
            restraints=held,
        )  # fmt: skip
        found += tagged(many, "transfer")
    return found


def active_of_run(lines: Lines, seeds: Sequence[int]) -> None:
    """Labels chosen for a goal, and at random, from a run in which events are few."""
    frames, test, barrier = of_run()
    single = im.isolated_atoms("HCO", "gfn2-xtb")
    for seed in seeds:
        pool, _ = ordered(frames, seed)
        rare = [a for a in pool if is_transfer(a)]
        goal = im.Goal([*rare, *[a for a in pool if not is_transfer(a)][: len(rare)]])
        names = {"part": "active", "molecule": "malonaldehyde", "pool": "run", "seed": seed}

        measured = partial(_with_transfers, single=single, test=test, seed=seed, barrier=barrier)
        for count in SIZES_OF_RUN:
            chance = names | {"how": "random", "labels": count}
            if not lines.has(**chance):
                lines.add(chance | measured(pool[:count])[1])
        goes = names | {"how": "goal: transfer"}
        if not lines.has(**goes, labels=SIZES_OF_RUN[-2]):
            sizes = (START_OF_RUN, *SIZES_OF_RUN[:-1])
            _follow(lines, goes, pool, goal, sizes, measured)


def active(lines: Lines, seeds: Sequence[int], kind: str) -> None:
    """Labels chosen for what they tell of a goal, and at random, direct learning."""
    test = malonaldehyde("test")
    for seed in seeds:
        everything, single = ordered(malonaldehyde("train"), seed)
        pool, _ = ordered(pool_of(everything, kind, seed), seed)
        names = {"part": "active", "molecule": "malonaldehyde", "pool": kind, "seed": seed}
        how, goal = "goal: all", None
        if kind == "rare":
            how, goal = "goal: transfer", im.Goal([a for a in pool if is_transfer(a)])
        if not lines.has(**names, how=how, labels=100):
            measured = partial(_with_transfers, single=single, test=test, seed=seed)
            _follow(lines, names | {"how": how}, pool, goal, SIZES[:3], measured)
        for count in SIZES:
            chance = names | {"how": "random", "labels": count}
            if not lines.has(**chance):
                lines.add(chance | fitted(pool[:count], single, test, seed)[1])


def _follow(
    lines: Lines,
    names: dict[str, Any],
    pool: Sequence[Atoms],
    goal: im.Goal | None,
    sizes: Sequence[int],
    measured: Callable[[Sequence[Atoms]], tuple[im.FitReport, dict[str, Any]]],
) -> None:
    """One run of choosing, as `im.learn` does it, from the first of some sizes; errors at each."""
    have = list(range(sizes[0]))
    growing: im.GrowingFit | None = None
    for count in sizes:
        while len(have) < count:
            assert growing is not None
            left = [k for k in range(len(pool)) if k not in set(have)]
            found = im.choose(
                growing,
                [pool[k] for k in left],
                goal,
                min(BATCH, count - len(have)),
                seed=names["seed"],
            )
            new = [left[c.index] for c in found]
            have += new
            growing.add([pool[k] for k in new])
        frames = [pool[k] for k in have]
        report, line = measured(frames)
        if not lines.has(**names, labels=count):
            lines.add(names | {"labels": count} | line)
        growing = im.GrowingFit(report.potential, frames)


def refit(
    lines: Lines,
    report: im.FitReport,
    seconds: float,
    frames: Sequence[Atoms],
    seed: int,
    molecule: str,
) -> None:
    """Processor time of ten more labels beside that of a fit of 200, and how far it is from solving
    anew."""
    growing = im.GrowingFit(report.potential, frames[:200])
    times = []
    for first in (200, 210, 220):
        started = time.process_time()
        growing.add(frames[first : first + 10])
        times.append(time.process_time() - started)
    updated = growing.mean
    growing.settle()
    fresh = growing.mean
    size, off = 0.0, 0.0
    for atoms in frames[230:]:
        rows = rows_of(growing.equations.term, atoms).forces.numpy().reshape(-1, len(fresh))
        rows = rows / growing.scale
        size, off = (
            max(before, float(np.abs(rows @ each).max()))
            for before, each in ((size, fresh), (off, updated - fresh))
        )
    lines.add({
        "part": "refit", "molecule": molecule, "seed": seed, "labels": 200,
        "weights": len(fresh), "seconds": seconds, "update_s": float(np.median(times)),
        "difference_1e6": 1e6 * off / size,
    })  # fmt: skip


def cover(lines: Lines, seeds: Sequence[int]) -> None:
    """Intervals of 90 % on frames like the training data, and on a subset that it lacks."""
    everything = malonaldehyde("train")
    for seed in seeds:
        for left_out in ("md800", "transfer"):
            for how, baseline in (("direct", None), ("delta", "gfn2-xtb")):
                names = {"part": "cover", "molecule": "malonaldehyde", "how": how, "seed": seed,
                         "left_out": left_out}  # fmt: skip
                if lines.has(**names):
                    continue
                many, single = ordered([a for a in everything if subset(a) != left_out], seed)
                report = im.fit(
                    [*many[:COVERED], *single], seed=seed, progress=False, baseline=baseline,
                    members=1,
                )  # fmt: skip
                line = {}
                test = malonaldehyde("test")
                for name, chosen in (
                    ("inside", [a for a in test if subset(a) != left_out]),
                    ("outside", [a for a in test if subset(a) == left_out]),
                ):
                    line |= {f"{name}_{k}": v for k, v in covered(report.potential, chosen).items()}
                lines.add(names | {"labels": COVERED} | line)


def covered(potential: im.Potential, frames: Sequence[Atoms]) -> dict[str, float]:
    """Share of force components and energies inside 90 % intervals; rank correlations of error
    and error bar, of atoms' forces and of whole frames."""
    off, bars, frame_off, frame_bars, energy = [], [], [], [], []
    for atoms in frames:
        found = potential.predict_unwatched(atoms)
        wrong = found.forces.numpy() - labels.forces([atoms])
        said = uncertainty(potential, potential.batch(atoms))
        off.append(wrong)
        bars.append(said.forces_std.numpy())
        frame_off.append(np.sqrt((wrong**2).mean()))
        frame_bars.append(np.sqrt((bars[-1] ** 2).mean()))
        missed = abs(float(found.energy) - labels.energy_of(atoms))
        energy.append(missed <= NINETY * float(said.energy_std[0]))
    wrong, spread = np.concatenate(off), np.concatenate(bars)
    each = np.linalg.norm(wrong, axis=1), np.linalg.norm(spread, axis=1)
    return {
        "forces": float((np.abs(wrong) <= NINETY * spread).mean()),
        "energies": float(np.mean(energy)),
        "rank_atoms": float(spearmanr(*each).statistic),
        "rank_frames": float(spearmanr(frame_off, frame_bars).statistic),
    }


def several(values: pd.Series, form: str = ".0f") -> str:
    """Mean and range of several seeds."""
    mean, least, most = values.mean(), values.min(), values.max()
    if len(values) == 1:
        return f"{mean:{form}} (one seed)"
    return f"{mean:{form}} ({least:{form}} to {most:{form}})"


def between(counts: pd.Series) -> str:
    """Least and largest of some numbers, or one that all are."""
    return " to ".join(f"{int(count):,}" for count in sorted({counts.min(), counts.max()}))


def figures() -> dict[str, str]:
    """What the table says."""
    table, found = pd.read_csv(TABLE), {}
    for molecule in table[table.part == "delta"].molecule.unique():
        here = table[(table.part == "delta") & (table.molecule == molecule)]
        words = []
        for count, how in RUNS:
            some = here[(here.how == how) & (here.labels == count)]
            if len(some):
                words.append(
                    f"{how} {count}: {several(some.force, '.1f')} meV/Å, "
                    f"{several(some.energy, '.1f')} meV"
                )
        alone = here[here.how == "baseline"].iloc[0]
        level, baseline = METHODS.get(molecule, USUAL)
        words.append(f"{baseline} alone {alone.force:.0f} meV/Å, {alone.energy:.0f} meV")
        found[f"labels, {molecule}, {level}: test RMSE"] = "; ".join(words)
    of_choice = table[table.part == "active"]
    for pool in of_choice.pool.unique():
        here = of_choice[of_choice.pool == pool]
        for column, words in (
            ("force", "force RMSE"), ("worst", "worst 5 % of atoms"),
            ("transfer_force", "force RMSE in transfer frames"),
            ("transfer_worst", "worst 5 % in transfer frames"), ("barrier", "barrier"),
        ):  # fmt: skip
            parts, form = [], ".1f" if column == "barrier" else ".0f"
            for how in sorted(here.how.unique()):
                for count in (50, 100) if pool == "run" else (100, 200):
                    some = here[(here.how == how) & (here.labels == count)]
                    if np.isfinite(some[column].to_numpy()).any():
                        parts.append(f"{how} {count}: {several(some[column], form)}")
            name = {
                "run": f"run with {RARE} transfers",
                "rare": f"DFT pool with {RARE} transfers",
                "shipped": "DFT pool",
            }[pool]
            unit = "meV" if column == "barrier" else "meV/Å"
            if parts:
                found[f"choice of labels, {name}: {words}"] = f"{'; '.join(parts)} {unit}"
    for molecule, here in table[table.part == "refit"].groupby("molecule"):
        share = 100 * here.update_s / here.seconds
        found[f"ten more labels by an update, {molecule}, after 200"] = (
            f"{several(here.update_s, '.1f')} s, {several(share, '.1f')} % of the fit's "
            f"{several(here.seconds)} s; {between(here.weights)} weights; "
            "forces on other frames as solved anew within "
            f"{here['difference_1e6'].max():.2g} millionths of the largest"
        )
    of_cover = table[table.part == "cover"]
    for how, left_out in sorted({*zip(of_cover.how, of_cover.left_out, strict=True)}):
        some = of_cover[(of_cover.how == how) & (of_cover.left_out == left_out)]
        for where in ("inside", "outside"):
            what = (
                f"without {left_out}, as learned" if where == "inside" else f"{left_out}, left out"
            )
            found[f"90 % intervals, malonaldehyde, {how}, frames {what}"] = (
                f"forces {several(100 * some[f'{where}_forces'])} %, energies "
                f"{several(100 * some[f'{where}_energies'])} %; rank correlation of error and bar: "
                f"atoms {several(some[f'{where}_rank_atoms'], '.2f')}, frames "
                f"{several(some[f'{where}_rank_frames'], '.2f')}"
            )
    return found


def picture() -> None:
    """What 25 DFT labels correct in the force of GFN2-xTB on a proton on its way."""
    many, _ = ordered(malonaldehyde("train"), 0)
    report = im.fit(many[:25], baseline="gfn2-xtb", progress=False)
    on_the_way = [a for a in malonaldehyde("test") if is_transfer(a)][3]
    found = im.corrections(report.potential, on_the_way, im.Force(PROTON, along=O1))
    found.plot()[0].get_figure(root=True).savefig(ROOT / "docs" / "labels.png", dpi=100)


def main(words: Sequence[str]) -> None:
    warnings.simplefilter("ignore")
    if words[:1] == ["picture"]:
        picture()
        return
    if words[:1] != ["measure"]:
        record(figures(), COMMAND, whole=True)
        return
    seeds = [int(word) for word in words[2:]] or SEEDS
    {
        "delta": lambda lines: delta(lines, seeds, "malonaldehyde", malonaldehyde),
        "delta-acac": lambda lines: delta(lines, seeds, "acetylacetone", acetylacetone),
        "delta-alanine": lambda lines: delta(
            lines, seeds, "alanine dipeptide", alanine_dipeptide, FEW_RUNS
        ),
        "active": lambda lines: active_of_run(lines, seeds),
        "active-rare": lambda lines: active(lines, seeds, "rare"),
        "active-shipped": lambda lines: active(lines, seeds, "shipped"),
        "refit": lambda lines: refits(lines, seeds, "malonaldehyde", malonaldehyde),
        "refit-acac": lambda lines: refits(lines, seeds, "acetylacetone", acetylacetone),
        "cover": lambda lines: cover(lines, seeds),
    }[words[1]](Lines())


if __name__ == "__main__":
    main(sys.argv[1:])
