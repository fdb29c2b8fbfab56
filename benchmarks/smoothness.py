"""Smoother radial functions beside the usual ones, on the shipped data.

python benchmarks/smoothness.py

Fits of `WEIGHTS` weights to `FRAMES` frames; each draw takes other training frames and random
channels. The smoother functions are those of `acetylacetone.py --smooth`.
"""

from __future__ import annotations

import numpy as np
from acetylacetone import SMOOTH
from by_element import SHIPPED, TESTED, every
from results import ROOT, record

import interpmd as im
from interpmd.fitting.labels import is_isolated
from interpmd.structures.files import read_frames

WEIGHTS, FRAMES, DRAWS = 6_000, 300, (0, 1)

#: What is compared, by name.
PRIORS = {"usual": {}, "smoother": SMOOTH}


def errors_of(name: str) -> dict[str, list[float]]:
    """Force errors on test frames in meV/Å, draw by draw, by prior."""
    train, test = (
        read_frames(ROOT / "data" / name / f"{part}.extxyz.gz") for part in ("train", "test")
    )
    size = SHIPPED[name][1]
    many = [a for a in train if not is_isolated(a) and size in (None, len(a))]
    single = [a for a in train if is_isolated(a)]
    tested = every([a for a in test if not is_isolated(a)], TESTED)
    found: dict[str, list[float]] = {prior: [] for prior in PRIORS}
    for draw in DRAWS:
        some = [many[k] for k in np.random.default_rng(draw).permutation(len(many))[:FRAMES]]
        for prior, given in PRIORS.items():
            spec = {"weights": WEIGHTS} | given
            fitted = im.fit([*some, *single], spec=spec, members=1, seed=draw, progress=False)
            summary = im.evaluate(fitted.potential, tested).summary()
            found[prior].append(summary["force_rmse_meV/A"])
    return found


def main() -> None:
    for name in SHIPPED:
        words = [
            f"{prior} {np.mean(some):.1f} ({min(some):.1f} to {max(some):.1f})"
            for prior, some in errors_of(name).items()
        ]
        title = f"smoothness, {name.replace('_', ' ')}, {FRAMES} frames"
        record({title: f"{'; '.join(words)} meV/Å"}, "python benchmarks/smoothness.py")


if __name__ == "__main__":
    main()
