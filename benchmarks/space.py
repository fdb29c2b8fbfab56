"""Search in a space of 1,000 molecules that are all known: how soon, how right, what is false.

``python benchmarks/space.py [search rows false conformers]``. The truth are the hydrogen bonds of
1,000 substituted malonaldehydes by GFN2-xTB (``data/make_malonaldehydes.py``). A molecule is false
if its closed form is not the one that was meant; that is judged here by bonds that RDKit finds in
the relaxed structures, not by what the package says of them.
"""

from __future__ import annotations

import itertools
import json
import sys

import numpy as np
from rdkit.Chem import AddHs as add_hydrogens
from results import ROOT, record
from scipy.stats import norm, spearmanr

import interpmd as im
from interpmd.design.conformers import distance
from interpmd.design.evaluate import Evaluated
from interpmd.design.exploration import Exploration
from interpmd.design.scaffold import Design, Space, parsed
from interpmd.design.search import rehearse
from interpmd.design.store import read_table

sys.path.insert(0, str(ROOT / "data"))
from make_malonaldehydes import SPACE

COMMAND = "python benchmarks/space.py"

TABLE = ROOT / "data" / "malonaldehydes" / "hydrogen_bonds.csv.gz"

KCAL = 23.060548

#: Seeds of the searches, part of the molecules that they may evaluate, and the best looked for.
SEEDS, PART, TOP = range(5), 0.15, 10

#: RMSD in Å up to which conformers of two models are the same.
ALIKE = 0.35


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
    """Rank correlation of the model's rows with the exact ones by order, and error bars' truth."""
    answer = {}
    for order in (1, 2):
        designs = [d for d in exact if sum(g > 0 for g in d) == order]
        own, bars = [], []
        for design in designs:
            why = found.explain(design)
            own.append(why.rows[-1])
            bars.append(why.rows_std[-1])
        right = np.array([exact[d] for d in designs])
        inside = np.abs(np.array(own) - right) <= 2 * np.array(bars)
        answer[order] = (spearmanr(own, right).statistic, inside.mean(), len(designs))
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
        told = []
        for seed in SEEDS if how != "rows" else (0,):  # which does not draw
            found = rehearse(SPACE, known, budget, 10, how, seed)
            told.append(spearman_of_rows(found, exact))
        singles = ", ".join(f"{one[1][0]:.2f}" for one in told)
        pairs = ", ".join(f"{one[2][0]:.2f}" for one in told)
        inside = [100 * np.mean([one[k][1] for one in told]) for k in (1, 2)]
        figures[f"rows from {budget} of {len(known)}, chosen by {how}: Spearman"] = (
            f"singles {singles}; pairs {pairs}; within two error bars {inside[0]:.0f} %, "
            f"{inside[1]:.0f} %"
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


def conformers() -> dict[str, str]:
    """Lowest five conformers of GFN2-xTB by a long search, found by a potential or a short one."""
    figures = {}
    cases = {
        "alanine dipeptide, potential": ("CC(=O)NC(C)C(=O)NC", im.load("alanine_dipeptide")),
        "N-acetylglycine, GFN2-xTB": ("CC(=O)NCC(=O)O", "gfn2-xtb"),
        "ethyl lactate, GFN2-xTB": ("CCOC(=O)C(C)O", "gfn2-xtb"),
    }
    for name, (smiles, model) in cases.items():
        long = im.conformers(smiles, seeds=100, hops=10, seed=7, progress=False)
        short = im.conformers(smiles, model, progress=False)
        whole = add_hydrogens(parsed(smiles))
        found = {}
        for k in range(min(5, len(long))):
            for j in range(len(short)):
                if distance(whole, long[k], short[j]) < ALIKE:
                    found[k] = j
                    break
        words = f"{len(found)} of the lowest {min(5, len(long))} of {len(long)} found"
        bars = short.energies_std
        if bars is not None:
            off = np.array([short.energies[j] - long.energies[k] for k, j in found.items()])
            right = np.abs(off) <= 2 * bars[list(found.values())] + 1e-4
            words += f"; {right.sum()} within two error bars, largest error "
            words += f"{KCAL * np.abs(off).max():.2f} kcal/mol"
        figures[f"conformers of {name}"] = words
    return figures


PARTS = {"search": search, "rows": rows, "false": false_winners, "conformers": conformers}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        record(PARTS[part](), f"{COMMAND} {part}")
