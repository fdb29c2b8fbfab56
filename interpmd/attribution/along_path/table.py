"""Energies of interactions along a path: the one table that all languages of barriers read."""

from __future__ import annotations

import pathlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from ase import Atoms
from jaxtyping import Float

from interpmd import arguments
from interpmd.attribution.along_path.known import known_along
from interpmd.attribution.along_path.reaction_force import ReactionForce, reaction_force
from interpmd.attribution.along_path.strain import ActivationStrain, activation_strain
from interpmd.attribution.gauges.base import Gauge
from interpmd.attribution.gauges.coordinates import InternalGauge
from interpmd.attribution.methods.dispatch import settled_gauge, settled_method
from interpmd.attribution.models import Model, as_model
from interpmd.attribution.over_time.frames import explain_trajectory, frames_and_times
from interpmd.attribution.over_time.path import work_along
from interpmd.attribution.over_time.reg import RelativeEnergyGradient, relative_energy_gradient
from interpmd.attribution.targets import Energy, Force
from interpmd.dynamics.paths.result import Path
from interpmd.dynamics.trajectory import Trajectory
from interpmd.errors import GroupingError, LedgerWarning, PathError
from interpmd.markup import markup, table
from interpmd.plots.paths import row_lines
from interpmd.structures.coordinates import Coordinates
from interpmd.structures.files import Structures
from interpmd.structures.groups import Grouping
from interpmd.units import number_sign, with_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: The row of what integrals from frame to frame miss.
UNRESOLVED = "between the frames"

#: What rows can be summed by: coordinates of the table.
WORDS = ("kind", "order", "term")


@dataclass(frozen=True, eq=False)
class PathExplanation:
    """Energies of interactions along a path, which sum to the model's.

    Attributes:
        dataset: `value` (frame, interaction) in eV, of each row less that of the first frame;
            `total`, their sum; `predicted`, the model's; `along` (frame), how far along each frame
            is; label, kind, order, term and atoms of each interaction, as of `explain_trajectory`.
        frames: the structures.
        model: what was asked.
        gauge: what the rows are.
        absolute: energies of the rows themselves in eV, shape (frames, rows), where they have any.
    """

    dataset: xr.Dataset
    frames: tuple[Atoms, ...]
    model: Model
    gauge: Gauge
    absolute: Float[np.ndarray, "frames rows"] | None = None

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def coordinate(self) -> Float[np.ndarray, " frames"]:
        """How far along the path each frame is."""
        return self.dataset.along.values

    @property
    def axis(self) -> str:
        """Name and unit of the coordinate."""
        about = self.dataset.along.attrs
        return with_unit(about["long_name"], about["units"])

    @property
    def residual(self) -> float:
        """Largest difference in eV between the sum of the rows and the model's energy."""
        return float(np.abs(self.dataset.total - self.dataset.predicted).max())

    @property
    def unresolved(self) -> float:
        """Largest energy in eV that integrals from frame to frame miss; a row of its own."""
        return float(self.dataset.attrs.get("unresolved_eV", 0.0))

    def by(self, word: str) -> PathExplanation:
        """Rows summed by "kind", "order" or "term".

        Raises:
            GroupingError: another word.
        """
        if word not in WORDS:
            raise GroupingError(f"rows along a path are summed by {', '.join(WORDS)}, not {word!r}")
        keys = [str(key) or "other" for key in self.dataset[word].values]
        names = list(dict.fromkeys(keys))
        member = np.array([[key == name for key in keys] for name in names], dtype=float)
        summed = self.dataset.value.values @ member.T
        fresh = self.dataset.drop_dims("interaction").assign(
            value=(("frame", "interaction"), summed, self.dataset.value.attrs)
        )
        fresh = fresh.assign_coords(
            interaction=np.array(names, dtype=str),
            label=("interaction", np.array(names, dtype=str)),
        )
        order = np.argsort(-np.abs(summed).max(0), kind="stable")
        fresh = fresh.isel(interaction=order).assign_attrs(self.dataset.attrs | {"by": word})
        return replace(self, dataset=fresh, absolute=None)

    def reg(self, least: int = 3) -> RelativeEnergyGradient:
        """Relative energy gradient of the rows; see `relative_energy_gradient`."""
        return relative_energy_gradient(self.dataset, least)

    def reaction_force(self) -> ReactionForce:
        """Reaction force of the path, its works W1 to W4 and those of each row."""
        return reaction_force(self.dataset)

    def strain(self, reference: str = "relaxed") -> ActivationStrain:
        """Activation strain of the fragments; see `activation_strain`."""
        if self.absolute is None or self.gauge.players is None:
            raise PathError(
                'strain is of fragments, and these rows have none: take gauge="molecules" (also '
                'with fragments=[[...], [...]]), or gauge="groups", and do not sum the rows'
            )
        return activation_strain(
            self.model, self.frames, self.gauge, self.dataset, self.absolute, reference
        )

    def inside(self, fragment: int) -> PathExplanation:
        """What strains one fragment, by its own bonds, angles and torsions along the path.

        Raises:
            PathError: no such fragment.
        """
        players = self.gauge.players
        if players is None or not 0 <= fragment < len(players):
            count = 0 if players is None else len(players)
            raise PathError(f"there is no fragment {fragment}: the path has {count}")
        about = self.dataset.along
        parts = [frame[list(players[fragment])] for frame in self.frames]
        along = Path(
            parts, about.values, about.attrs["long_name"], about.attrs["units"], "scan", True
        )
        return explain_path(self.model, along, gauge="internal", progress=False)

    def to_frame(self) -> pd.DataFrame:
        """Energy (eV) of each row at each frame, and their sum; the index is the coordinate."""
        columns = [str(name) for name in self.dataset.interaction.values]
        frame = pd.DataFrame(self.dataset.value.values, columns=columns)
        frame["sum"] = self.dataset.total.values
        return frame.set_index(pd.Index(self.coordinate, name=self.axis))

    def plot(self, most: int = 5, ax: Axes | None = None) -> Axes:
        """Energies of the largest rows along the path, and their sum."""
        series = {
            str(name): self.dataset.value.values[:, row]
            for row, name in enumerate(self.dataset.interaction.values)
        }
        return row_lines(self.coordinate, series, most, x=self.axis, ax=ax)

    def __str__(self) -> str:
        top = int(self.dataset.total.values.argmax())
        values = self.dataset.value.values[top]
        first = int(np.abs(values).argmax())
        name = str(self.dataset.interaction.values[first])
        return (
            f"{len(self.dataset.interaction)} rows ({self.gauge.name}) along {len(self)} frames; "
            f"at the top {number_sign(float(self.dataset.total.values[top]), '+.3f')} eV, of which "
            f"{name} {number_sign(float(values[first]), '+.3f')} eV"
        )

    def __repr__(self) -> str:
        return f"{self}\n{self._ends()}"

    def _repr_html_(self) -> str:
        return markup("<p><b>{}</b></p>{}", self, table(self._ends()))

    def _ends(self) -> pd.DataFrame:
        """Rows at the top and at the end, the largest first."""
        top = int(self.dataset.total.values.argmax())
        places = [self.coordinate[top], self.coordinate[-1]]
        names = [f"top ({places[0]:.4g})", f"end ({places[1]:.4g})"]
        values = self.dataset.value.values[[top, -1]].T
        index = [str(name) for name in self.dataset.interaction.values]
        frame = pd.DataFrame(dict(zip(names, values.T, strict=True)), index=index).head(12)
        frame.loc["sum"] = self.dataset.total.values[[top, -1]]
        return frame.rename_axis("eV").round(4)


def explain_path(
    model: Any,
    path: Path | Trajectory | Structures,
    *,
    gauge: str | Gauge | Grouping | Coordinates | None = None,
    fragments: str | Sequence[Sequence[int]] | None = None,
    order: int | str | None = "auto",
    coordinate: Sequence[float] | None = None,
    out: str | pathlib.Path | None = None,
    progress: bool = True,
    **options: Any,
) -> PathExplanation:
    """Which interactions make the energy along a path.

    Rows of the gauges "groups", "molecules" and "atoms" have energies, whose changes sum to the
    model's. Rows of "internal" are coordinates: each does the work -∫ g dq, by splines through the
    frames, and what these miss stands as a row of its own, "between the frames".

    Args:
        model: see `explain`. The calculator that made a path is asked again for its ends alone.
        path: from `im.path` or `im.scan`, a trajectory, or frames with the same atoms in order.
        gauge: see `explain`; if None "internal" for a molecule, "molecules" for several.
        fragments: players of the gauge "molecules" instead of the molecules.
        order: see `explain`.
        coordinate: how far along each frame is, ascending or descending; of the path, the time in
            fs, or the number of the frame if None.
        out: see `explain_trajectory`; not for "internal".
        progress: whether to show a progress bar.
        options: others of `explain_trajectory`, as `method`.

    Raises:
        PathError: fewer than two frames, or a coordinate that does not fit.
        Others: see `explain_trajectory`.

    Warns:
        LedgerWarning: the row "between the frames" holds more than 10 meV and 5 % of the largest
            change; take frames nearer to each other.

    Example:
        >>> import interpmd as im
        >>> from ase.build import molecule
        >>> potential, water = im.load("water"), molecule("H2O")
        >>> bend = im.scan(
        ...     potential, water, (1, 0, 2), [104, 100, 96, 92], relax=False, progress=False
        ... )
        >>> table = im.explain_path(potential, bend, progress=False)
        >>> str(table.dataset.interaction.values[0]), table.residual < 1e-8
        ('angle H1–O0–H2', True)
    """
    frames, moments = frames_and_times(path, None)
    if len(frames) < 2:
        raise PathError(f"a path has two frames or more, not {len(frames)}")
    wrapped = known_along(as_model(model), path)
    along = _along(path, moments, coordinate)
    asked: dict[str, Any] = {"order": order, "fragments": fragments, **options}
    if gauge is None and fragments is not None and not isinstance(fragments, str):
        gauge = "molecules"
    known = {k: v for k, v in asked.items() if k in ("order", "fragments", "method", "context")}
    made = settled_gauge(frames, Force(0), gauge, **known)
    settled_method(
        made,
        options.get("method"),
        order,
        options.get("context", "vacuum"),
        {name: value for name, value in options.items() if name not in ("method", "context")},
    )
    if isinstance(made, InternalGauge):
        book = work_along(wrapped, frames, moments, made, rule="spline")
        return PathExplanation(_of_works(book, along), tuple(frames), wrapped, made)
    asked.pop("fragments")
    explained = explain_trajectory(
        wrapped, frames, Energy(), gauge=made, out=out, progress=progress, times=moments, **asked
    )
    absolute = explained.value.values
    changes = {
        name: explained[name] - explained[name].isel(frame=0, drop=True)
        for name in ("value", "total", "predicted")
    }
    dataset = explained.drop_vars(["std", "deviation"], errors="ignore").assign(changes)
    ranked = np.argsort(-np.abs(dataset.value.values).max(0), kind="stable")
    dataset = dataset.isel(interaction=ranked).assign_coords(along=along)
    attributes = explained.attrs | {"target": "energy along the path"}
    return PathExplanation(
        dataset.assign_attrs(attributes), tuple(frames), wrapped, made, absolute[:, ranked]
    )


def _along(path: Any, moments: np.ndarray, coordinate: Sequence[float] | None) -> xr.Variable:
    """How far along each frame is, with its name and unit."""
    name, unit, places = "frame", "", moments
    if coordinate is not None:
        name, places = "coordinate", arguments.numbers_of(coordinate, "coordinate")
    elif isinstance(path, Path):
        name, unit, places = path.quantity, path.unit, np.asarray(path.coordinate, dtype=float)
    elif hasattr(path, "times"):
        name, unit = "time", "fs"
    steps = np.diff(places) if places.shape == moments.shape else np.zeros(1)
    if places.shape != moments.shape or not ((steps > 0).all() or (steps < 0).all()):
        raise PathError(
            f"the coordinate has one number for each of the {len(moments)} frames, and ascends or "
            "descends"
        )
    return xr.Variable("frame", places, {"long_name": name, "units": unit})


def _of_works(book: xr.Dataset, along: xr.Variable) -> xr.Dataset:
    """Energies from works, with the row of what the integrals miss."""
    energies = book.potential_energy.values - book.potential_energy.values[0]
    missed = book.closure_error.values
    worst, size = float(np.abs(missed).max()), float(np.abs(energies).max())
    if worst > max(0.01, 0.05 * size):
        warnings.warn(
            f"the works of the coordinates miss the change of the energy by up to {worst:.2g} eV, "
            f"which stands as the row {UNRESOLVED!r}: take frames nearer to each other",
            LedgerWarning,
            stacklevel=4,
        )
    values = np.column_stack([-book.work.values, missed])
    names = {
        "interaction": [*map(str, book.interaction.values), UNRESOLVED],
        "label": [*map(str, book.label.values), UNRESOLVED],
        "kind": [*map(str, book.kind.values), UNRESOLVED],
        "atoms": [*map(str, book.atoms.values), ""],
    }
    energy = {"units": "eV"}
    dataset = xr.Dataset(
        {
            "value": (("frame", "interaction"), values, energy),
            "total": ("frame", values.sum(1), energy),
            "predicted": ("frame", energies, energy),
            "residual": ("frame", np.abs(values.sum(1) - energies), energy),
        },
        {
            "frame": book.frame,
            "time_fs": book.time_fs,
            "along": along,
            **{name: ("interaction", np.array(column)) for name, column in names.items()},
        },
        book.attrs | {"target": "energy along the path", "unresolved_eV": worst},
    )
    return dataset.isel(interaction=np.argsort(-np.abs(values).max(0), kind="stable"))
