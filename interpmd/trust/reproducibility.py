"""Whether two fits to disjoint halves of the data agree, on forces and on what makes them up.

A fit may be right about forces and wrong about rows: what the data do not determine another half
of the data decides anew. Two fits of malonaldehyde whose forces differed by 12 % agreed on the
rows of its atoms with r = 0.49, 0.28, 0.01 (pairs, triplets, quadruplets), and on the tensions of
its coordinates with r = 0.999.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from jaxtyping import Float
from tqdm.auto import tqdm

from interpmd.attribution.certificate import Check
from interpmd.attribution.gauges.base import Gauge
from interpmd.attribution.methods.dispatch import explain, options_of, settled_gauge
from interpmd.attribution.models import as_model
from interpmd.attribution.targets import Force, Target, as_target
from interpmd.errors import ArgumentError
from interpmd.fitting import labels
from interpmd.fitting.learning import potentials
from interpmd.plots.comparisons import parity
from interpmd.structures.files import Structures, read_frames
from interpmd.structures.threads import one_thread
from interpmd.trust.rows import compared, correlation, relative_difference

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Frames on which two halves of the data are compared, unless the user says which.
FRAMES = 20


@dataclass(frozen=True, eq=False, repr=False)
class Reproducibility:
    """Rows of two models side by side.

    Attributes:
        first, second: rows of all frames and targets, as `trust.rows.compared` puts them, shape
            (numbers,), in `unit`.
        first_targets, second_targets: what they explain, shape (targets,), in `unit`.
        gauge: of the rows.
        unit: eV or eV/Å.
        frames: how many were compared.
    """

    first: Float[np.ndarray, " numbers"]
    second: Float[np.ndarray, " numbers"]
    first_targets: Float[np.ndarray, " targets"]
    second_targets: Float[np.ndarray, " targets"]
    gauge: str
    unit: str
    frames: int

    @property
    def correlation(self) -> float:
        """Pearson's, of the rows."""
        return correlation(self.first, self.second)

    @property
    def relative_difference(self) -> float:
        """Of the rows: norm of the difference over the root mean square of both norms."""
        return relative_difference(self.first, self.second)

    @property
    def target_difference(self) -> float:
        """The same of what the rows explain; of energies after their means are taken off."""
        first, second = self.first_targets, self.second_targets
        if self.unit == "eV":
            first, second = first - first.mean(), second - second.mean()
        return relative_difference(first, second)

    def checks(self) -> tuple[Check, ...]:
        """For the card of a potential: `Explanation.certificate` shows those of its gauge.

        ``card.certificate.extend(Certificate(result.checks()).to_json())`` stores them.
        """
        words = "rows of two fits to disjoint halves of the data"
        values = {
            "relative difference": (self.relative_difference, f"of the {words}"),
            "correlation": (self.correlation, f"of the {words}"),
            "difference of the targets": (self.target_difference, "of what these rows explain"),
        }
        return tuple(
            Check("reproducibility", f"{self.gauge}: {name}", value, None, "", meaning)
            for name, (value, meaning) in values.items()
        )

    def __repr__(self) -> str:
        return (
            f"two models, gauge {self.gauge}, {self.frames} frames: rows with r = "
            f"{self.correlation:.3f} and {100 * self.relative_difference:.1f} % apart, what they "
            f"explain {100 * self.target_difference:.1f} % apart"
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Rows of the second model against those of the first."""
        unit = self.unit.replace("A", "Å")
        title = f"rows of gauge {self.gauge}: r = {self.correlation:.3f}"
        pair = {"rows": (self.first, self.second)}
        return parity(pair, f"row ({unit})", "first model", "second model", title, ax)


def reproducibility(
    first: Any,
    second: Any,
    frames: Structures,
    target: Target | Sequence[Target] | None = None,
    gauge: str | Gauge | None = None,
    method: str | None = None,
    order: int | str | None = "auto",
    progress: bool = True,
) -> Reproducibility:
    """Compare the rows of two models.

    Args:
        first, second: potentials, or any models that `explain` takes.
        frames: of one system.
        target: what is explained, or several targets; the force on every atom if None.
        gauge, method, order: see `explain`; the gauge is made once for all frames.
        progress: whether to show a progress bar.

    Raises:
        ArgumentError: no frames.
        Others: see `explain`.
    """
    frames = read_frames(frames)
    if not frames:
        raise ArgumentError("two models are compared on frames, and none are given")
    if target is None:
        target = [Force(atom) for atom in range(len(frames[0]))]
    given = target if isinstance(target, Iterable) and not isinstance(target, str) else [target]
    targets = [as_target(each) for each in given]
    if not targets:
        raise ArgumentError("two models are compared by a target, and none is given")
    made = settled_gauge(frames, targets[0], gauge, method, order)
    options = {"error_bars": False} if "error_bars" in options_of(method or made.method) else {}
    models = [as_model(model) for model in (first, second)]
    rows: tuple[list, list] = ([], [])
    explained: tuple[list, list] = ([], [])
    with one_thread():
        for atoms in tqdm(frames, desc="compare", unit="frame", disable=not progress):
            for each in targets:
                pair = [
                    explain(model, atoms, each, method, order, gauge=made, **options)
                    for model in models
                ]
                for place, values in enumerate(compared(*pair)):
                    rows[place].append(values)
                    explained[place].append(np.ravel(pair[place].predicted))
    return Reproducibility(
        *(np.concatenate(values) for values in (*rows, *explained)),
        gauge=made.name,
        unit=targets[0].unit,
        frames=len(frames),
    )


def reproduce(
    train: Structures,
    frames: Structures | None = None,
    target: Target | Sequence[Target] | None = None,
    gauge: str | Gauge | None = None,
    *,
    method: str | None = None,
    order: int | str | None = "auto",
    seed: int = 0,
    progress: bool = True,
    workers: int = 1,
    client: Any = None,
    **arguments: Any,
) -> Reproducibility:
    """Fit two potentials to disjoint halves of the data, and compare their rows.

    Args:
        train: training data, as for `fit`.
        frames: on which the rows are compared; `FRAMES` of the most frequent composition of the
            training data if None.
        target, gauge, method, order: see `reproducibility`.
        seed: of the halves, and of the fits.
        progress: whether to show progress bars.
        workers, client: who makes the fits; see `learning_curve`.
        arguments: passed on to `fit`, as `spec`.

    Raises:
        ArgumentError: fewer than two frames of every composition.
        Others: see `learning_curve` and `reproducibility`.
    """
    data = read_frames(train)
    given = {"seed": seed, "progress": progress, **arguments}
    fits = potentials(halves(data, seed), workers, client, **given)
    shown = _most_frequent(data, seed) if frames is None else read_frames(frames)
    return reproducibility(*fits, shown, target, gauge, method, order, progress)


def halves(frames: Sequence[Atoms], seed: int = 0) -> tuple[list[Atoms], list[Atoms]]:
    """Disjoint halves, drawn at random from the frames of each composition; isolated atoms, which
    both need, are in both.

    Raises:
        ArgumentError: fewer than two frames of every composition.
    """
    isolated = [atoms for atoms in frames if labels.is_isolated(atoms)]
    first, second = [], []
    rng = np.random.default_rng(seed)
    for alike in _by_composition(frames).values():
        order = rng.permutation(len(alike))
        # where their number is odd the smaller half takes one more
        longer, shorter = (first, second) if len(first) <= len(second) else (second, first)
        longer += [alike[k] for k in order[::2]]
        shorter += [alike[k] for k in order[1::2]]
    if not first or not second:
        raise ArgumentError(
            f"{len(frames)} frames have no halves: two of one composition are needed at least"
        )
    return [*first, *isolated], [*second, *isolated]


def _by_composition(frames: Sequence[Atoms]) -> dict[str, list[Atoms]]:
    alike: dict[str, list[Atoms]] = {}
    for atoms in frames:
        if not labels.is_isolated(atoms):
            alike.setdefault(atoms.get_chemical_formula(), []).append(atoms)
    return alike


def _most_frequent(frames: Sequence[Atoms], seed: int) -> list[Atoms]:
    """Some frames of the same atoms in the same order, of those that are most."""
    alike: dict[bytes, list[Atoms]] = {}
    for atoms in frames:
        alike.setdefault(atoms.numbers.tobytes(), []).append(atoms)
    most = max(alike.values(), key=lambda found: len(found) * (len(found[0]) > 1))
    order = np.random.default_rng(seed).permutation(len(most))
    return [most[k] for k in sorted(order[:FRAMES])]
