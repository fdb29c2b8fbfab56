"""How strongly parts beyond each other's cutoff act on each other: what labelled frames tell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from ase import Atoms

from interpmd.fitting.labels import energy_of
from interpmd.potentials.apart import FADED, between_parts, number_of_parts, separate_parts
from interpmd.potentials.base import LearnedTerm
from interpmd.potentials.potential import Potential
from interpmd.potentials.uncertainty import posterior
from interpmd.structures.threads import one_thread

#: Share of the frames whose energies lie within two standard deviations; fewest frames that tell.
WITHIN_TWO, FEWEST = 0.95, 20

#: Draws that say how strong charges of 1 e are.
DRAWS = 32


def calibrate_apart(potential: Potential, term: LearnedTerm, frames: Sequence[Atoms]) -> None:
    """Set `charge_scale` of a term so that the energies of frames of several parts lie within two
    error bars, those of the parts themselves included; it is 0 where fewer than `FEWEST` tell.

    Args:
        potential: with the samples of its posterior.
        term: of the potential, which keeps the scale.
        frames: labelled.
    """
    term.charge_scale.zero_()
    found = []
    with one_thread():
        for atoms in frames:
            if atoms.pbc.any() or not np.isfinite(label := energy_of(atoms)):
                continue
            batch = potential.batch(atoms)
            part = separate_parts(batch, potential.neighbours(batch), FADED * term.cutoff)
            if int(number_of_parts(batch, part)) < 2:
                continue
            size = float(between_parts(term, batch, part, DRAWS)[0].pow(2).mean().sqrt())
            if not size:  # an atom alone has no charge
                continue
            drawn = posterior(potential, batch)
            own = 0.0 if drawn is None else float(drawn.energy_std)
            missed = abs(float(potential.predict(atoms).energy) - label)
            found.append(max(missed**2 - (2 * own) ** 2, 0.0) ** 0.5 / size)
    if len(found) >= FEWEST:
        half = float(np.quantile(found, WITHIN_TWO)) / 2
        term.charge_scale.copy_(torch.tensor(half**0.5))
