"""Search in a space of 1,000 molecules that are all known: how soon, how right, what is false.

``python benchmarks/space.py [search rows false learning]``. The truth are the hydrogen bonds of
1,000 substituted malonaldehydes by GFN2-xTB (``data/make_malonaldehydes.py``). A molecule is false
if its closed form is not the one that was meant; that is judged here by bonds that RDKit finds in
the relaxed structures, not by what the package says of them.
"""

from __future__ import annotations

import itertools
import json
import sys

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.io import write
from results import ROOT, record
from scipy.stats import norm, spearmanr

import interpmd as im
from interpmd.design.evaluate import Effort, Evaluated, evaluate
from interpmd.design.exploration import Exploration
from interpmd.design.objectives import HydrogenBond
from interpmd.design.scaffold import Design, Space, parsed, space_of
from interpmd.design.search import rehearse
from interpmd.design.store import read_table
from interpmd.reference.calculator import as_calculator

sys.path.insert(0, str(ROOT / "data"))
from common import SCRATCH
from make_malonaldehydes import SPACE

COMMAND = "python benchmarks/space.py"

TABLE = ROOT / "data" / "malonaldehydes" / "hydrogen_bonds.csv.gz"

KCAL = 23.060548

#: Seeds of the searches, part of the molecules that they may evaluate, and the best looked for.
SEEDS, PART, TOP = range(5), 0.15, 10

#: The reference.
LEVEL = "gfn2-xtb"


def truth() -> dict[Design, Evaluated]:
    return read_table(TABLE, SPACE)


def best_of(known: dict[Design, Evaluated]) -> set[Design]:
    sound = [one for one in known.values() if one.sound]
    return {one.design for one in sorted(sound, key=lambda one: -one.value)[:TOP]}


def by_rows(known: dict[Design, Evaluated], how: str, seed: int, budget: int) -> list[Design]:
    found = rehearse(SPACE, known, budget, 10, how, seed)
    return [one.design for one in found.evaluated]


def at_random(known: dict[Design, Evaluated], seed: int, budget: int) -> list[Design]:
    every = list(known)
    return [every[k] for k in np.random.default_rng(seed).permutation(len(every))[:budget]]


def by_fingerprints(known: dict[Design, Evaluated], seed: int, budget: int) -> list[Design]:
    """A Gaussian process over Morgan fingerprints, expected improvement, ten at a time."""
    from rdkit.Chem import rdFingerprintGenerator
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, WhiteKernel

    make = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
    every = list(known)
    prints = np.array([make.GetFingerprintAsNumPy(parsed(known[d].smiles)) for d in every], float)
    order = np.random.default_rng(seed).permutation(len(every)).tolist()
    chosen = order[:20]
    while len(chosen) < budget:
        sound = [k for k in chosen if known[every[k]].sound]
        values = np.array([known[every[k]].value for k in sound])
        kernel = ConstantKernel() * RBF(3.0) + ConstantKernel() * DotProduct() + WhiteKernel()
        process = GaussianProcessRegressor(kernel, normalize_y=True, random_state=seed)
        process.fit(prints[sound], values)
        means, bars = process.predict(prints, return_std=True)
        bars = np.maximum(bars, 1e-9)
        z = (means - values.max()) / bars
        gain = bars * (z * norm.cdf(z) + norm.pdf(z))
        gain[chosen] = -np.inf
        chosen += np.argsort(-gain)[: min(10, budget - len(chosen))].tolist()
    return [every[k] for k in chosen]


def search() -> dict[str, str]:
    """How many of the best ten each method finds with 15 % of the evaluations."""
    known = truth()
    budget, best = round(PART * len(known)), best_of(known)
    methods = {
        "rows, Thompson": lambda seed: by_rows(known, "thompson", seed, budget),
        "rows, expected improvement": lambda seed: by_rows(
            known, "expected_improvement", seed, budget
        ),
        "fingerprints, expected improvement": lambda seed: by_fingerprints(known, seed, budget),
        "at random": lambda seed: at_random(known, seed, budget),
    }
    figures = {}
    for name, method in methods.items():
        counts, lengths = [], []
        for seed in SEEDS:
            designs = method(seed)
            counts.append(len(best & set(designs)))
            places = [k + 1 for k, d in enumerate(designs) if d in best]
            lengths.append(places[-1] if counts[-1] == TOP else None)
        when = ", ".join("-" if n is None else str(n) for n in lengths)
        figures[f"space of {len(known)}, best {TOP} found in {budget}: {name}"] = (
            f"{', '.join(map(str, counts))} (5 seeds); all {TOP} after {when}"
        )
    return figures


def exact_rows(values: dict[Design, float], space: Space) -> dict[Design, float]:
    """Rows with "absent" = hydrogen, of molecules all of whose parts are sound."""
    rows = {}
    for design in values:
        on = [s for s, g in enumerate(design) if g]
        parts = [
            (k, tuple(g if s in kept else 0 for s, g in enumerate(design)))
            for k in range(len(on) + 1)
            for kept in itertools.combinations(on, k)
        ]
        if all(part in values for _, part in parts):
            rows[design] = sum((-1) ** (len(on) - k) * values[part] for k, part in parts)
    return rows


def spearman_of_rows(found: Exploration, exact: dict[Design, float]) -> dict[int, tuple]:
    """By order: rank correlation of the model's rows with the exact ones, of those that are not
    measured as well, part of 90 % intervals that hold the exact row, part that is undetermined."""
    answer = {}
    for order in (1, 2):
        designs = [d for d in exact if sum(g > 0 for g in d) == order]
        own, bars, words = [], [], []
        for design in designs:
            why = found.explain(design)
            own.append(why.rows[-1])
            bars.append(why.rows_std[-1])
            words.append(why.known[-1])
        right, own, words = np.array([exact[d] for d in designs]), np.array(own), np.array(words)
        unseen = words != "measured"
        inside = np.abs(own - right) <= norm.ppf(0.95) * np.array(bars)
        answer[order] = (
            spearmanr(own, right).statistic,
            spearmanr(own[unseen], right[unseen]).statistic if unseen.sum() > 2 else np.nan,
            inside[unseen].mean() if unseen.any() else np.nan,
            (words == "undetermined").mean(),
        )
    return answer


def rows() -> dict[str, str]:
    """Rows of the model against exhaustive ones, for several budgets and ways to choose."""
    known = truth()
    exact = exact_rows({d: one.value for d, one in known.items() if one.sound}, SPACE)
    size = {
        k: np.sqrt(np.mean([v**2 for d, v in exact.items() if sum(g > 0 for g in d) == k]))
        for k in (1, 2, 3)
    }
    figures = {
        f"space of {len(known)}: rows of one, two, three groups, RMS": ", ".join(
            f"{KCAL * value:.2f}" for value in size.values()
        )
        + " kcal/mol"
    }
    for how, budget in (("expected_improvement", 150), ("rows", 150), ("rows", 200)):
        told, winners = [], []
        for seed in SEEDS:
            found = rehearse(SPACE, known, budget, 10, how, seed)
            told.append(spearman_of_rows(found, exact))
            why = found.explain()
            few = [k for k, row in enumerate(why.row_sites) if len(row) <= found.order]
            winners.append(f"{sum(why.measured[k] for k in few)}/{len(few)}")
        singles = ", ".join(f"{one[1][0]:.2f}" for one in told)
        pairs = ", ".join(f"{one[2][0]:.2f}" for one in told)
        unseen = ", ".join(f"{one[2][1]:.2f}" for one in told)
        inside = np.nanmean([one[2][2] for one in told])
        name = f"rows from {budget} of {len(known)}, chosen by {how}"
        figures[f"{name}: Spearman"] = (
            f"singles {singles}; pairs {pairs}; of pairs that were not evaluated {unseen} (5 seeds)"
        )
        figures[f"{name}: 90 % intervals of pairs not evaluated that hold the exhaustive row"] = (
            f"{100 * inside:.0f} %; undetermined, and said so: "
            + ", ".join(f"{100 * one[2][3]:.0f}" for one in told)
            + " % of all pairs"
        )
        if how != "rows":
            figures[f"{name}: rows of the winner, of one and two groups, that are measured"] = (
                ", ".join(winners)
            )
    return figures


def false_winners() -> dict[str, str]:
    """Which false molecules the package flags, and which sound ones it flags too."""
    known = truth()
    card = json.loads(TABLE.with_name("hydrogen_bonds.json").read_text())
    false = {SPACE.design(key) for key in card["changed, by RDKit"]}
    figures = {}
    everything = Exploration(SPACE, tuple(known.values()), "hydrogen bond", "eV", "known")
    suspects = {SPACE.design(list(row[:3])) for row in everything.suspects().itertuples(False)}
    alarms = suspects - false
    figures[f"false among {len(known)}: flagged, and false alarms"] = (
        f"{len(suspects & false)} of {len(false)}; {len(alarms)} of {len(known) - len(false)} "
        f"({100 * len(alarms) / (len(known) - len(false)):.1f} %)"
    )
    # by rows alone: the false values are given to the model as if they were sound
    naive = {
        d: Evaluated(d, one.smiles, one.value) for d, one in known.items() if one.value is not None
    }
    blind = Exploration(SPACE, tuple(naive.values()), "hydrogen bond", "eV", "known")
    suspects = {SPACE.design(list(row[:3])) for row in blind.suspects().itertuples(False)}
    with_value = false & set(naive)
    alarms = suspects - false
    figures[
        f"false among {len(known)}: flagged by rows alone, without structures, and false alarms"
    ] = (
        f"{len(suspects & with_value)} of {len(with_value)}; {len(alarms)} of "
        f"{len(naive) - len(with_value)} "
        f"({100 * len(alarms) / (len(naive) - len(with_value)):.1f} %)"
    )
    top = sorted(naive, key=lambda d: -naive[d].value)[:TOP]
    figures[f"false among the {TOP} highest values"] = f"{len(set(top) & false)}"
    return figures


def learning() -> dict[str, str]:
    """A potential of bare malonaldehyde that learns three groups at two sites while it searches.

    Labels by the reference beside the calls that evaluating every molecule by it takes.
    """
    SCRATCH.mkdir(exist_ok=True)
    groups, bond = ("CH3", "F", "CN"), HydrogenBond(hydrogen=16, acceptor=11)
    space = space_of(SPACE.scaffold, sites={1: groups, 3: groups})
    known = {design: truth()[SPACE.design(space.names(design))] for design in space.designs()}
    counting = Counting(LEVEL)
    every = [evaluate(space, bond, counting, Effort(), design) for design in space.designs()]
    asked = counting.calls
    first = SCRATCH / "malonaldehyde-start.extxyz"
    if not first.exists():
        forms = list(every[0].structures.values())
        made = im.sample(forms, n=200, temperatures=(300.0, 600.0), interval=15, equilibration=50)
        write(first, [*im.label(made, LEVEL), *im.isolated_atoms("HCO")])
    frames = im.read_frames(first)
    report = im.fit(frames, spec=im.Spec(channels=(48, 48, 24), lmax=(0, 4, 3), basis=8))
    found = im.explore_and_learn(
        SPACE.scaffold, report, frames, sites={1: groups, 3: groups}, objective=bond,
        out=SCRATCH / "malonaldehyde-learning", rounds=6, most=60, budget=len(space), batch=16,
        confirm=0, progress=False,
    )  # fmt: skip
    print(found.log.to_string())
    told = found.exploration.sound
    both = np.array([(told[d], known[d].value) for d in told if known[d].sound])
    order = sorted((d for d in known if known[d].sound), key=lambda d: -known[d].value)
    winner = order.index(found.exploration.winner) + 1
    name = f"{len(space)} malonaldehydes by a potential that learns"
    return {
        f"{name}: labels by the reference, and calls to evaluate all by it": (
            f"{len(found.labels)} in {int((found.log['labels'] > 0).sum())} rounds, beside "
            f"{len(frames)} of the bare molecule; {asked}"
        ),
        f"{name}: ranking": (
            f"{len(told)} sound; Spearman {spearmanr(both).statistic:.2f}, rms error "
            f"{KCAL * np.sqrt(((both[:, 0] - both[:, 1]) ** 2).mean()):.2f} kcal/mol (spread "
            f"{KCAL * both[:, 1].std():.2f}); its best is number {winner} of the reference"
        ),
        f"{name}: relaxations that ended where it knew nothing, round by round": ", ".join(
            map(str, found.log["left"])
        ),
    }


class Counting(Calculator):
    """A level of theory that counts how often it is asked."""

    implemented_properties = ("energy", "forces")

    def __init__(self, level: str) -> None:
        super().__init__()
        self.level, self.calls = as_calculator(level), 0

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        super().calculate(atoms, properties, system_changes)
        self.calls += 1
        asked = atoms.copy()
        asked.calc = self.level
        self.results = {
            "energy": asked.get_potential_energy(), "forces": asked.get_forces()
        }  # fmt: skip


PARTS = {
    "search": search,
    "rows": rows,
    "false": false_winners,
    "learning": learning,
}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        record(PARTS[part](), f"{COMMAND} {part}")
