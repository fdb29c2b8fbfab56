"""Whether works sum to the change of the kinetic energy: foreseen before long work, and why not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from ase import Atoms, units
from jaxtyping import Float

from interpmd.attribution.models import Model
from interpmd.attribution.over_time.integration import ORDERS, works_of
from interpmd.attribution.targets import Power, Target

#: Change of the phase of the fastest vibration, in radians, from one frame to the next, above which
#: errors do not fall as the order says.
LARGEST_PHASE = 0.5


def closure_error(
    works: Float[np.ndarray, "frames interactions"], frames: Sequence[Atoms], power: Power
) -> Float[np.ndarray, " frames"]:
    """Sum of the works less the change of the kinetic energy in eV."""
    kinetic = kinetic_energies(frames, power)
    return works.sum(1) - (kinetic - kinetic[0])


def kinetic_energies(frames: Sequence[Atoms], power: Power) -> Float[np.ndarray, " frames"]:
    """Of the atoms whose power it is, in eV."""
    return np.array([_kinetic_energy(atoms, power.indices(atoms)) for atoms in frames])


def foreseen(
    model: Model,
    frames: Sequence[Atoms],
    times: np.ndarray,
    target_of: Callable[[int], Target],
    rule: str,
    power: Power,
) -> float | None:
    """Largest closure error in eV that a ledger of these frames will have.

    Rows sum to the forces, so that the forces alone tell: those stored in the frames, else those
    of an interpmd potential, which cost little beside its rows. None where neither is at hand.

    Args:
        model: what will be explained.
        frames, times: with velocities; fs.
        target_of: see `powers`.
        rule: of integration.
        power: on which atoms.
    """
    forces = [stored_forces(atoms) for atoms in frames]
    if any(force is None for force in forces):
        if model.potential is None:
            return None
        _, forces = model.evaluate(frames)
    felt = []
    for index, (atoms, force) in enumerate(zip(frames, forces, strict=True)):
        functional = target_of(index).functional(atoms)
        felt.append(functional.shaped(functional.of(np.zeros(1), np.asarray(force)[None])))
    works = works_of(np.array(felt), times, rule)
    return float(np.abs(closure_error(works, frames, power)).max())


def reason(
    frames: Sequence[Atoms],
    times: np.ndarray,
    rule: str,
    power: Power,
    settings: dict,
    worst: float,
    tolerance: float,
    model_power: Float[np.ndarray, " frames"] | None = None,
) -> str:
    """Why a ledger does not close, and what to do.

    Args:
        frames, times, rule, power: of the ledger.
        settings: of the simulation.
        worst: closure error in eV.
        tolerance: that would do.
        model_power: by the forces of the model in eV/fs, once they are known.
    """
    if settings.get("ensemble") == "nvt":
        return "the thermostat did the rest (take ensemble='nve' for a ledger that closes)"
    stored = [_stored_power(atoms, power) for atoms in frames]
    if model_power is not None and None not in stored:
        other = np.abs(np.array(stored) - model_power).max()
        if other > 0.02 * np.abs(stored).max():
            return (
                "the forces stored in the frames are not those of this potential (their powers "
                f"differ by {other:.2g} eV/fs): pass the potential that ran the trajectory"
            )
    interval = float(np.diff(times).max())
    enough = interval * (0.5 * tolerance / worst) ** (1 / ORDERS[rule])
    fastest = _fastest(frames, power)
    if fastest:
        enough = min(enough, LARGEST_PHASE / fastest)
    if (step := settings.get("time_step_fs")) and enough < 2 * step:
        return (
            f"frames are {interval:.3g} fs apart; record every step (interval=1), or take a "
            "shorter timestep if they are"
        )
    often = f" (interval={int(enough / step)})" if step else ""
    return f"frames are {interval:.3g} fs apart, {enough:.2g} fs would do{often}"


def stored_forces(atoms: Atoms) -> Float[np.ndarray, "atoms 3"] | None:
    """Forces in eV/Å that were recorded with a frame."""
    if atoms.calc is None or "forces" not in getattr(atoms.calc, "results", {}):
        return None
    return atoms.calc.results["forces"]


def _kinetic_energy(atoms: Atoms, chosen: Sequence[int]) -> float:
    return float(0.5 * (atoms.get_momenta()[chosen] * atoms.get_velocities()[chosen]).sum())


def _stored_power(atoms: Atoms, power: Power) -> float | None:
    forces = stored_forces(atoms)
    return None if forces is None else float((power.functional(atoms).forces[0] * forces).sum())


def _fastest(frames: Sequence[Atoms], power: Power) -> float:
    """Largest angular frequency in rad/fs: of an atom that vibrates, the ratio of the root mean
    squares of acceleration and velocity; 0 if the frames carry no forces."""
    some = [(a, forces) for a in frames if (forces := stored_forces(a)) is not None]
    if not some:
        return 0.0
    chosen = power.indices(some[0][0])
    masses = some[0][0].get_masses()[chosen, None]
    push = np.mean([(forces[chosen] / masses) ** 2 for _, forces in some], axis=0).sum(1)
    speed = np.mean([a.get_velocities()[chosen] ** 2 for a, _ in some], axis=0).sum(1)
    moving = speed > 0
    return float(np.sqrt(push[moving] / speed[moving]).max() * units.fs) if moving.any() else 0.0
