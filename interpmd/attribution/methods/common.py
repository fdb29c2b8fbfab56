"""What several families of methods need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from ase import Atoms
from jaxtyping import Float
from torch import Tensor

from interpmd.attribution.gauges.games import Game
from interpmd.attribution.methods.registry import Request
from interpmd.errors import MethodError
from interpmd.extras import required


def predicted(request: Request) -> np.ndarray:
    """The target of the whole structure, by the model itself."""
    functional = request.target.functional(request.atoms)
    if not functional.forces.any():
        energy = request.model.energy(request.atoms)
        return np.asarray(functional.shaped(energy * functional.energy))
    energies, forces = request.model.evaluate([request.atoms])
    return np.asarray(functional.shaped(functional.of(energies, forces[0][None])[0]))


def game_of(request: Request) -> Game:
    """The game of a request."""
    return request.gauge.game(request.model, request.atoms, request.target)


def conservation(rows: Float[np.ndarray, "rows atoms 3"], atoms: Atoms) -> dict[str, float]:
    """Largest net force (eV/Å) of a row and, of a structure without a cell, net torque (eV)."""
    checks = {"momentum": float(np.abs(rows.sum(1)).max(initial=0.0))}
    if not atoms.pbc.any():
        torque = np.cross(atoms.positions - atoms.positions.mean(0), rows).sum(1)
        checks["torque"] = float(np.abs(torque).max(initial=0.0))
    return checks


def at_least_one(**options: int) -> None:
    """Raise MethodError unless the options are whole numbers from 1 upwards."""
    for name, value in options.items():
        if isinstance(value, bool) or int(value) != value or value < 1:
            raise MethodError(f"{name} is a whole number, 1 or more, not {value!r}")


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed the global generators of numpy and torch, from which captum and shap draw, and put
    them back afterwards.

    Raises:
        MethodError: numpy takes no such seed.
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**32:
        raise MethodError(f"seed is a whole number from 0 to 2^32 - 1, not {seed!r}")
    state = np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(seed))
        np.random.seed(seed)  # noqa: NPY002
        try:
            yield
        finally:
            np.random.set_state(state)  # noqa: NPY002


def without_rounding(
    values: Float[np.ndarray, "players components"], whole: Float[np.ndarray, " components"]
) -> Float[np.ndarray, "players components"]:
    """Values that should sum to the whole, with what captum loses by summing in float32 given
    back in proportion to their sizes; what is larger than rounding stays lost."""
    lost, size = whole - values.sum(0), np.abs(values)
    if (np.abs(lost) > 1e-5 * (1 + size.sum(0))).any():
        return values
    return values + lost * size / np.maximum(size.sum(0), 1e-300)


def captum_attribution(
    forward: Callable[[Float[Tensor, "sets players"]], Float[Tensor, "sets components"]],
    algorithm: str,
    players: int,
    components: int,
    seed: int = 0,
    **options,
) -> Float[np.ndarray, "players components"]:
    """Attributions of an algorithm of captum for the step from all 0 to all 1.

    Args:
        forward: from gates to values.
        algorithm: name of the class in captum.attr.
        players, components: number of gates and of values.
        seed: of algorithms that sample.
        options: of its `attribute`.
    """
    attr = required("captum.attr", f"captum's {algorithm}")
    if not players:
        return np.zeros((0, components))

    def attached(gates: Tensor) -> Tensor:
        # captum differentiates, also what does not depend on the gates
        return forward(gates) + 0.0 * gates.sum(1, keepdim=True)

    method = getattr(attr, algorithm)(attached)
    present = torch.ones(1, players, dtype=torch.float64, requires_grad=True)
    if algorithm != "InputXGradient":
        options["baselines"] = torch.zeros_like(present)
    if algorithm == "IntegratedGradients":
        options["method"] = "gausslegendre"
    by_component = []
    for component in range(components):
        with seeded(seed):
            by_component.append(method.attribute(present, target=component, **options)[0])
    return torch.stack(by_component, dim=1).detach().double().numpy()
