"""What path integrals return: where the beads of every sample were, and averages over them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms, units
from jaxtyping import Float

from interpmd import arguments
from interpmd.dynamics.events.coordinate import ReactionCoordinate
from interpmd.dynamics.observables.coordinates import values_of
from interpmd.dynamics.observables.free_energy import FreeEnergy, bin_of, memory_of
from interpmd.dynamics.observables.histograms import surface
from interpmd.errors import ArgumentError, TrajectoryError
from interpmd.units import with_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class PathIntegrals:
    """Samples of a ring polymer.

    Attributes:
        atoms: the molecule.
        times: fs of the dynamics, which are those of the thermostat and mean nothing else.
        positions: Å, shape (samples, beads, atoms, 3).
        potential: eV, mean over the beads, with what was added to the potential.
        conserved: eV, what i-PI's integrator conserves.
        bias: eV, what was added to the potential, mean over the beads; None if nothing was.
        temperature: K.
        settings: how it was made.
    """

    atoms: Atoms
    times: Float[np.ndarray, " samples"]
    positions: Float[np.ndarray, "samples beads atoms 3"]
    potential: Float[np.ndarray, " samples"]
    conserved: Float[np.ndarray, " samples"]
    bias: Float[np.ndarray, " samples"] | None = None
    temperature: float = 0.0
    settings: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.times)

    def __getitem__(self, part: slice) -> PathIntegrals:
        names = ("times", "positions", "potential", "conserved")
        bias = None if self.bias is None else self.bias[part]
        return replace(self, bias=bias, **{name: getattr(self, name)[part] for name in names})

    @property
    def beads(self) -> int:
        """How many."""
        return self.positions.shape[1]

    @cached_property
    def frames(self) -> list[list[Atoms]]:
        """Each bead of each sample as a structure."""
        return [[self._structure(bead) for bead in sample] for sample in self.positions]

    def told(
        self,
        temperature: float,
        settings: dict[str, Any],
        bias: Float[np.ndarray, " samples"] | None,
    ) -> PathIntegrals:
        """The same with temperature, settings and bias."""
        return replace(self, temperature=temperature, settings=settings, bias=bias)

    def values(
        self, coordinate: ReactionCoordinate | Callable[[Atoms], float] | tuple[int, ...]
    ) -> Float[np.ndarray, "samples beads"]:
        """A coordinate of every bead; see `im.free_energy`."""
        return self._values(coordinate)[0]

    def spread(self, atom: int) -> tuple[float, float]:
        """How far an atom is smeared out by quantum mechanics: root mean square distance in Å of
        its beads from their centre, without what was added to the potential, and its error."""
        arguments.count(0, atom=atom)
        if atom >= len(self.atoms):
            raise TrajectoryError(f"there is no atom {atom} among {len(self.atoms)}")
        places = self.positions[:, :, atom]
        squares = ((places - places.mean(1, keepdims=True)) ** 2).sum(2).mean(1)
        weights = np.ones(len(self))
        if self.bias is not None:
            weights = np.exp((self.bias - self.bias.max()) / (units.kB * self.temperature))
        blocks = np.array_split(np.arange(len(self)), 8)
        each = [np.average(squares[b], weights=weights[b]) for b in blocks if len(b)]
        mean = float(np.sqrt(np.average(squares, weights=weights)))
        error = float(np.std(each, ddof=1) / np.sqrt(len(each))) if len(each) > 1 else np.nan
        return mean, error / max(2 * mean, 1e-12)

    def free_energy(
        self,
        coordinate: ReactionCoordinate | Callable[[Atoms], float] | tuple[int, ...],
        *,
        bins: int = 25,
        range: tuple[float, float] | None = None,
        symmetric: bool = False,
        draws: int = 200,
        seed: int = 0,
    ) -> FreeEnergy:
        """−kT ln of how often the beads have a value of a coordinate, with error bars by blocks.

        What `im.lowered` added is taken out: a ring counts with exp of its bias, the mean over its
        beads.

        Args:
            coordinate: see `im.free_energy`.
            bins: of equal width.
            range: of the bins; what the beads reach if None.
            symmetric: whether the molecule knows no difference between q and −q, so that both are
                counted.
            draws: of the bootstrap. seed: of it.

        Raises:
            TrajectoryError: fewer than ten samples, or none inside the range.
            ArgumentError: numbers that make no sense.
        """
        arguments.count(2, bins=bins, draws=draws)
        arguments.seeds(seed=seed)
        if len(self) < 10:
            raise TrajectoryError(f"a free energy needs ten samples or more, not {len(self)}")
        values, name, unit = self._values(coordinate)
        if symmetric:
            values = np.concatenate([values, -values], axis=1)
        if range is None:
            range = (float(values.min()), float(values.max()))
        if not range[0] < range[1]:
            raise ArgumentError(f"range is a lower and a higher number, not {range}")
        edges = np.linspace(*range, bins + 1)
        places = np.stack([bin_of(row, edges) for row in values])
        if (places == bins).all():
            raise TrajectoryError(f"no bead has {name} between {range[0]:g} and {range[1]:g}")
        centres = values[:, : self.beads].mean(1)
        memory = memory_of(np.abs(centres) if symmetric else centres, False)
        added = None if self.bias is None else self.bias[None]
        found = surface(places, bins, self.temperature, [len(self)], [memory], added, draws, seed)
        return FreeEnergy(
            0.5 * (edges[1:] + edges[:-1]),
            found.energies,
            found.stds,
            found.counts,
            with_unit(name, unit),
            self.temperature,
            memory * values.shape[1],
        )

    def plot(
        self, coordinate: ReactionCoordinate | Callable[[Atoms], float], ax: Axes | None = None
    ) -> Axes:
        """The free energy along a coordinate."""
        return self.free_energy(coordinate).plot(ax)

    def _structure(self, positions: np.ndarray) -> Atoms:
        atoms = self.atoms.copy()
        atoms.positions = positions
        return atoms

    def _values(self, coordinate: Any) -> tuple[np.ndarray, str, str]:
        flat = [atoms for sample in self.frames for atoms in sample]
        values, name, unit = values_of(flat, coordinate)
        return values.reshape(len(self), self.beads), name, unit

    def __str__(self) -> str:
        kind = "classical nuclei" if self.beads == 1 else f"{self.beads} beads"
        return (
            f"path integrals of {self.atoms.get_chemical_formula()}, {kind}, "
            f"{self.temperature:g} K: {len(self)} samples"
            + ("" if self.bias is None else ", a bias is taken out of averages")
        )

    __repr__ = __str__
