"""Which interactions of a fitted potential do the training data determine, and which not?

The energy of dense structures leaves the split among pairs, triplets, ... open: two fits of equal
force error can disagree about a pair by half an electronvolt. The posterior knows it. The doctor
looks at every pair and triplet of elements by itself, as an isolated dimer or trimer, where rows
are differences of energies:

    pair row     E(AB) − E(A) − E(B)
    triplet row  E(ABC) − E(AB) − E(AC) − E(BC) + E(A) + E(B) + E(C)

and reports the standard deviation of each under the posterior. `interpmd.cure` labels what is
poorly determined and fits again.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from ase import Atoms
from ase.data import chemical_symbols
from jaxtyping import Float, Int
from tqdm.auto import tqdm

from interpmd import arguments
from interpmd.attribution.models import as_model
from interpmd.decomposition.decomposition import standard_deviation
from interpmd.decomposition.few_atoms import few_atom_rows
from interpmd.errors import ArgumentError, InterpmdError
from interpmd.keywords import renamed
from interpmd.potentials.baseline import without_baseline
from interpmd.potentials.potential import Potential
from interpmd.potentials.shelf import load_potential
from interpmd.structures.edges import CLOSEST_APPROACH
from interpmd.structures.files import read_frames
from interpmd.structures.seen import SeenDistances
from interpmd.structures.systems import check_elements
from interpmd.trust.closed_parts import closed_parts
from interpmd.trust.diagnosis import PHYSICAL, Diagnosis
from interpmd.trust.geometries import ANGLES, angles_of, closeness, on_a_grid, with_drawn


@renamed(data="train")
def doctor(
    potential: Potential | str | Path,
    train: str | Path | Iterable[Atoms] | None = None,
    distances: Sequence[float] | None = None,
    angles: Sequence[float] | None = None,
    threshold: float = 0.05,
    seed: int = 0,
    progress: bool = True,
) -> Diagnosis:
    """Which pairs and triplets of elements the training data determine, and at which geometries.

    The standard deviations are those of the potential's posterior: they say what the data leave
    open, and how wrong the form of the potential is on data like these. Far from the data (two
    oxygen atoms at a bond's length in a potential of water) the error can be several times larger;
    that a row is not determined is certain, that it is determined is not.

    Args:
        potential: fitted, with posterior samples; or the name or folder of one.
        train: training frames, to count how often each distance occurs in them, and to look also
            at trimers as they stand in them and at closed-shell parts of their molecules.
        distances: of the dimers in Å; the trimers take some of them. If None, from 0.6 times the
            sum of the covalent radii to the cutoff (see `interpmd.trust.geometries`).
        angles: of the trimers in degrees; from 40 to 180 if None; an empty list for pairs only.
        threshold: eV; a row is determined where its standard deviation is below.
        seed: of the trimers that are drawn from `train`.
        progress: whether to show progress bars.

    Raises:
        InterpmdError: the potential has no posterior.
        UnknownElementError: `train` holds elements that the potential does not know.
        ValueError: distances, angles or a threshold that make no sense.
    """
    arguments.seeds(seed=seed)
    arguments.positive(threshold=threshold)
    if isinstance(potential, str | Path):
        potential = load_potential(potential)
    arguments.of_class(Potential, potential=potential)
    potential = without_baseline(potential)  # whose parts may be radicals without a state
    if not potential.n_samples:
        raise InterpmdError(
            "the potential has no posterior samples, so nothing says what its data determine; "
            "fit one with interpmd.fit"
        )
    if not threshold > 0:
        raise ArgumentError(f"threshold is a standard deviation in eV above 0, not {threshold}")
    frames = None if train is None else read_frames(train)
    for atoms in frames or ():
        check_elements(torch.as_tensor(atoms.numbers), potential.elements, "the potential")
    corners = _checked(ANGLES if angles is None else angles, "angles", 0.0, 180.0)
    given = None
    if distances is not None:
        given = _checked(distances, "distances", CLOSEST_APPROACH, np.inf)
        if not len(given):
            raise ArgumentError("give at least one distance, or None for the default grid")
    numbers, sides = on_a_grid(potential.elements or (), potential.cutoff, given, corners)
    on_grid = len(numbers)
    if frames is not None and len(corners):
        numbers, sides = with_drawn(numbers, sides, frames, potential.cutoff, seed)
    # alternating sums of energies lose digits; the samples are stored in single precision
    precise = copy.deepcopy(potential).double()
    energies, samples = few_atom_rows(precise, numbers, sides, progress)
    spread = standard_deviation(samples)
    table = pd.DataFrame(
        {
            "elements": [_name(z) for z in numbers],
            "order": np.where(numbers[:, 2] == 0, 2, 3),
            "r1_A": sides[:, 0],
            "r2_A": sides[:, 1],
            "angle_deg": angles_of(sides),
            "energy_eV": energies,
            "std_eV": spread,
            "determined": spread < threshold,
            "physical": closeness(numbers, sides) >= PHYSICAL,
        }
    )
    if frames is not None:
        table["in_data"] = SeenDistances.of(frames, potential.cutoff).rarest(numbers, sides)
        table["drawn"] = np.arange(len(table)) >= on_grid
    parts, grades = _graded(potential, frames or [], seed, progress)
    return Diagnosis(
        table, numbers, sides, samples, float(threshold), potential.card.level, parts, grades
    )


def _graded(
    potential: Potential, frames: Sequence[Atoms], seed: int, progress: bool
) -> tuple[list[Atoms], Float[np.ndarray, " parts"]]:
    """Closed-shell parts of the frames that the potential can evaluate, and their grades."""
    known = set(potential.elements or ())
    parts = [part for part in closed_parts(frames, seed) if known.issuperset(part.numbers.tolist())]
    model, grades = as_model(potential), np.zeros(len(parts))
    bar = tqdm(parts, desc="closed parts", unit="part", disable=not (progress and parts))
    for index, part in enumerate(bar):
        if (drawn := model.posterior([part])) is not None:
            grades[index] = drawn.grades[0]
    return parts, grades


def _checked(values: Sequence[float], name: str, low: float, high: float) -> np.ndarray:
    none = isinstance(values, Sequence) and not len(values)  # nothing is asked along this axis
    ascending = np.unique([] if none else arguments.one_or_more(values, name, arguments.finite))
    inside = (ascending > low) & (ascending <= high)
    if not inside.all():
        raise ArgumentError(f"{name} lie above {low:g}{f' and up to {high:g}' * (high < np.inf)}")
    return ascending


def _name(numbers: Int[np.ndarray, " 3"]) -> str:
    """Symbols with the first atom, the one at the angle, in the middle of a triplet."""
    apex, first, second = (chemical_symbols[z] for z in numbers)
    return f"{first}-{apex}-{second}" if numbers[2] else f"{apex}-{first}"
