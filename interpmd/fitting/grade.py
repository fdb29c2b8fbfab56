"""What is usual in frames like the training data: the units of the extrapolation grade.

A training frame vouches for itself, and so do ranges that hold it. Both are therefore set so that
new frames of the same runs pass: error bars by frames that were held out, ranges of distances by
leaving out a fifth of the frames at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from ase import Atoms
from jaxtyping import Float, Int
from torch import Tensor

from interpmd.potentials.base import LearnedTerm
from interpmd.potentials.potential import Potential
from interpmd.potentials.surroundings import nearest_distances, outside
from interpmd.potentials.uncertainty import Posterior, posterior
from interpmd.structures.threads import one_thread

#: Share of new frames that error bars may call unlike the training data, and that distances may.
FALSE_ALARMS = 0.02

#: Least widening of a range of distances, in Å.
LEAST = 0.01

#: Parts in which frames are left out, and least frames of a composition that is judged by itself:
#: in its distances, and among those that were held out.
FOLDS, FEWEST, FEWEST_HELD = 5, 40, 20


@dataclass(frozen=True)
class Spread:
    """How uncertain one frame is.

    Attributes:
        force: largest standard deviation of a force on an atom of each element in eV/Å, shape
            (species,); 0 where the element is missing.
        energy: standard deviation of the energy over the square root of the number of atoms, in eV.
        composition: formula of the frame.
    """

    force: Float[Tensor, " species"]
    energy: float
    composition: str = ""

    def over(self, usual: Spread) -> float:
        """How many times more uncertain than usual, in forces or in the energy."""
        return max(float((self.force / usual.force).max()), self.energy / usual.energy)


def calibrate_grade(
    potential: Potential,
    term: LearnedTerm,
    frames: Sequence[Atoms],
    held: Sequence[Spread] = (),
    false_alarms: float = FALSE_ALARMS,
) -> None:
    """Set the units of the extrapolation grade of a potential.

    Compositions are judged one by one: among many small parts a few large molecules, which are the
    least certain, would all be alarms.

    Args:
        potential: with the samples of its posterior.
        term: of the potential, which keeps the units.
        frames: training frames that vouch for others.
        held: how uncertain frames are that were held out, under the posterior without them.
        false_alarms: share of these that may be called unlike the training data.
    """
    usual = usual_spread(potential, term, frames)
    ratios = np.array([spread.over(usual) for spread in held])
    names = [spread.composition for spread in held]
    factor = _usual(names, ratios, FEWEST_HELD, false_alarms) if held else 1.0
    term.grade_scale.copy_(factor * usual.force)
    term.energy_scale.fill_(factor * usual.energy)
    term.nearest.copy_(ranges_of_distances(potential, term, frames))


def usual_spread(
    potential: Potential, term: LearnedTerm, frames: Sequence[Atoms], keep: int = 20
) -> Spread:
    """The largest standard deviations of forces and energies in the training frames.

    Four draws of the posterior find the `keep` least certain frames of each element and of the
    energies, all draws say how uncertain those are.
    """
    with one_thread():
        rough = [_spread(potential, term, atoms, draws=4) for atoms in frames]
        each = torch.stack([torch.cat([s.force, s.force.new_tensor([s.energy])]) for s in rough])
        chosen = each.topk(min(keep, len(frames)), dim=0).indices.unique().tolist()
        exact = [_spread(potential, term, frames[i]) for i in chosen]
    force = torch.stack([s.force for s in exact]).amax(0).clamp_min(1e-12)
    return Spread(force, max(max(s.energy for s in exact), 1e-12))


def spread_of(
    term: LearnedTerm, numbers: Int[np.ndarray, " atoms"], energy: float, forces: np.ndarray
) -> Spread:
    """From the standard deviations of the energy (eV) and of the force on each atom (eV/Å)."""
    species = term.species[torch.as_tensor(numbers)]
    largest = torch.zeros(len(term.elements), dtype=torch.float64)
    largest.scatter_reduce_(0, species, torch.as_tensor(forces, dtype=torch.float64), "amax")
    formula = Atoms(numbers=numbers).get_chemical_formula()
    return Spread(largest, energy / len(numbers) ** 0.5, formula)


def _spread(
    potential: Potential, term: LearnedTerm, atoms: Atoms, draws: int | None = None
) -> Spread:
    drawn: Posterior | None = posterior(potential, potential.batch(atoms), draws=draws)
    if drawn is None:
        return Spread(torch.zeros(len(term.elements), dtype=torch.float64), 0.0)
    sizes = drawn.forces_std.norm(dim=1).cpu().numpy()
    return spread_of(term, atoms.numbers, float(drawn.energy_std[0]), sizes)


def ranges_of_distances(
    potential: Potential, term: LearnedTerm, frames: Sequence[Atoms]
) -> Float[Tensor, "species channels neighbours 2"]:
    """Ranges of the distances to the nearest neighbours in Å, widened until new frames pass.

    A fifth of the frames at a time is held against the ranges of the others. Compositions are
    judged one by one, for large structures have more distances that may lie outside.
    """
    with one_thread():
        found = []
        for atoms in frames:
            batch = potential.batch(atoms)
            found.append(nearest_distances(term, batch, potential.neighbours(batch)))
    species = [term.species[torch.as_tensor(atoms.numbers)] for atoms in frames]
    fold = np.random.default_rng(0).permutation(len(frames)) % FOLDS
    parts = [
        _ranges(term, [(s, d) for s, d, f in zip(species, found, fold, strict=True) if f == k])
        for k in range(FOLDS)
    ]
    beyond = np.zeros(len(frames))
    for k in range(FOLDS):
        others = _together([part for j, part in enumerate(parts) if j != k])
        for i in np.flatnonzero(fold == k):
            beyond[i] = float(outside(found[i], others[species[i]]).max())
    names = [atoms.get_chemical_formula() for atoms in frames]
    margin = max(LEAST, _usual(names, beyond, FEWEST))
    ranges = _together(parts)
    ranges[..., 0] -= margin
    ranges[..., 1] += margin
    # of an element that no frame holds every distance is new
    return ranges.nan_to_num(posinf=term.cutoff, neginf=0.0)


def _usual(
    compositions: Sequence[str],
    measured: Float[np.ndarray, " frames"],
    fewest: int,
    false_alarms: float = FALSE_ALARMS,
) -> float:
    """What all but a few frames of each frequent composition stay below."""
    names = np.array(compositions)
    known, counts = np.unique(names, return_counts=True)
    groups = [measured[names == name] for name in known[counts >= fewest]] or [measured]
    finite = [g[np.isfinite(g)] for g in groups]
    return max((float(np.quantile(g, 1 - false_alarms)) for g in finite if len(g)), default=0.0)


def _ranges(
    term: LearnedTerm, many: Sequence[tuple[Tensor, Tensor]]
) -> Float[Tensor, "species channels neighbours 2"]:
    """Least and largest distances; from infinity to minus infinity for missing elements."""
    ranges = torch.empty_like(term.nearest)
    ranges[..., 0], ranges[..., 1] = torch.inf, -torch.inf
    if not many:
        return ranges
    species, found = (torch.cat(each) for each in zip(*many, strict=True))
    index = species[:, None, None].expand_as(found)
    ranges[..., 0] = ranges[..., 0].scatter_reduce(0, index, found, "amin")
    ranges[..., 1] = ranges[..., 1].scatter_reduce(0, index, found, "amax")
    return ranges


def _together(parts: Sequence[Tensor]) -> Tensor:
    """Ranges that hold all of several."""
    return torch.stack(
        [
            torch.stack([p[..., 0] for p in parts]).amin(0),
            torch.stack([p[..., 1] for p in parts]).amax(0),
        ],
        dim=-1,
    )
