"""An ordinary message-passing network, to hold the cluster expansion's rows against.

The energy of an atom passes through several layers in which atoms tell their neighbours about
their own neighbours: no finite body order, and nothing that makes the split among pairs, triplets
and higher orders right. The table of such a potential is the many-body expansion of its energy
over sub-clusters (`interpmd.decomposition.whole`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from ase import Atoms
from jaxtyping import Float, Int
from torch import Tensor, nn
from tqdm.auto import tqdm

from interpmd.errors import StructureError
from interpmd.fitting import labels
from interpmd.potentials.base import GlobalTerm, register
from interpmd.potentials.expansion.radial import bessel, envelope
from interpmd.potentials.potential import Potential
from interpmd.structures.edges import Neighbours, edge_vectors, neighbours
from interpmd.structures.systems import Batch, sum_by_structure
from interpmd.structures.threads import one_thread

#: Weight of the mean square force error (eV/Å) beside that of the energies per atom (eV).
FORCE_WEIGHT = 0.1


@register
class MessagePassing(GlobalTerm):
    """A small polarisable atom interaction network.

    Each atom carries scalars s and vectors v; a layer adds

        message   ds_i = sum_j a_ij,    dv_i = sum_j b_ij v_j + c_ij u_ij,
                  (a, b, c)_ij = phi(s_j) W(r_ij)
        update    ds_i = a_i + b_i <U v_i, V v_i>,    dv_i = c_i U v_i,
                  (a, b, c)_i = psi(s_i, |V v_i|)

    and the energy of an atom is a network of its scalars, less that of the atom alone.

    Source: Schuett, Unke and Gastegger, ICML 2021 (arXiv:2102.03150), equations 7–10; with Bessel
    functions and the polynomial cutoff of arXiv:2003.03123 for the radial filter.

    Args:
        elements: atomic numbers.
        cutoff: of one layer, in Å.
        channels: scalars, and vectors, of each atom.
        layers: rounds of messages; an atom feels others up to `layers` cutoffs away.
        basis: number of Bessel functions.
        seed: of the initial weights.

    Raises:
        StructureError: (when called) a periodic structure.
    """

    kind = "message_passing"

    def __init__(
        self,
        elements: Sequence[int],
        cutoff: float,
        channels: int = 32,
        layers: int = 2,
        basis: int = 12,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.elements, self.cutoff = tuple(sorted({int(z) for z in elements})), float(cutoff)
        self.channels, self.basis, self.seed = channels, basis, seed
        species = torch.full((max(self.elements) + 1,), -1)
        species[list(self.elements)] = torch.arange(len(self.elements))
        self.register_buffer("species", species, persistent=False)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(seed))
            self.embedding = nn.Embedding(len(self.elements), channels)
            self.layers = nn.ModuleList(_Layer(channels, basis) for _ in range(layers))
            self.readout = _network(channels, channels, 1)
        self.double()

    @classmethod
    def example(cls) -> MessagePassing:
        """A small instance with random weights."""
        return cls([1, 6, 8], cutoff=4.0, channels=8)

    def config(self) -> dict[str, Any]:
        return {
            "elements": list(self.elements),
            "cutoff": self.cutoff,
            "channels": self.channels,
            "layers": len(self.layers),
            "basis": self.basis,
            "seed": self.seed,
        }

    def forward(self, batch: Batch, pairs: Neighbours | None = None) -> Float[Tensor, " atoms"]:
        if batch.periodic:
            raise StructureError(
                "the message-passing network is for molecules only, and the structure is periodic: "
                "there is no finite many-body expansion to compare"
            )
        pairs = neighbours(batch, self.cutoff) if pairs is None else pairs
        vectors = edge_vectors(batch, pairs)
        distances = vectors.pow(2).sum(1).sqrt()
        radial = bessel(distances, self.cutoff, self.basis)
        radial = radial * envelope(distances, self.cutoff)[:, None]
        unit = vectors / distances[:, None]
        species = torch.as_tensor(self.species)[batch.numbers]
        none = torch.zeros(0, dtype=torch.int64, device=species.device)
        alone = torch.arange(len(self.elements), device=species.device)
        single = self._sites(alone, radial[:0], unit[:0], none, none)
        return self._sites(species, radial, unit, pairs.centre, pairs.neighbour) - single[species]

    def _sites(
        self,
        species: Int[Tensor, " atoms"],
        radial: Float[Tensor, "edges basis"],
        unit: Float[Tensor, "edges 3"],
        centre: Int[Tensor, " edges"],
        neighbour: Int[Tensor, " edges"],
    ) -> Float[Tensor, " atoms"]:
        scalars = self.embedding(species)
        arrows = scalars.new_zeros(len(species), 3, self.channels)
        for layer in self.layers:
            scalars, arrows = layer(scalars, arrows, radial, unit, centre, neighbour)
        return self.readout(scalars)[:, 0]


class _Layer(nn.Module):
    def __init__(self, channels: int, basis: int) -> None:
        super().__init__()
        self.filter = nn.Linear(basis, 3 * channels, bias=False)
        self.message = _network(channels, channels, 3 * channels)
        self.mix = nn.Linear(channels, 2 * channels, bias=False)
        self.update = _network(2 * channels, channels, 3 * channels)

    def forward(self, scalars, arrows, radial, unit, centre, neighbour):
        filtered = self.message(scalars)[neighbour] * self.filter(radial)
        add, carry, point = filtered[:, None].chunk(3, dim=2)
        scalars = scalars.index_add(0, centre, add[:, 0])
        moved = carry * arrows[neighbour] + point * unit[:, :, None]
        arrows = arrows.index_add(0, centre, moved)
        left, right = self.mix(arrows).chunk(2, dim=2)
        # a small number inside the root keeps the slope finite where the vector is zero
        length = (right.pow(2).sum(1) + 1e-8).sqrt()
        add, scale, turn = self.update(torch.cat([scalars, length], 1)).chunk(3, dim=1)
        return scalars + add + scale * (left * right).sum(1), arrows + turn[:, None] * left


def _network(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.SiLU(), nn.Linear(hidden, outputs))


def train(
    frames: Sequence[Atoms],
    cutoff: float,
    steps: int = 3000,
    at_once: int = 24,
    rate: float = 3e-3,
    seed: int = 0,
    progress: bool = True,
    **architecture: Any,
) -> Potential:
    """Train a message-passing network on energies and forces by gradient descent.

    The loss is the mean square error of the energies per atom plus `FORCE_WEIGHT` times that of
    the forces; Adam, its rate falling to zero as a cosine. Energies count from isolated atoms.

    Args:
        frames: molecules with energies (eV) and forces (eV/Å).
        cutoff: of one layer, in Å.
        steps: of gradient descent.
        at_once: frames in one step.
        rate: learning rate at the start.
        seed: of the weights and the order of the frames.
        progress: whether to show a progress bar.
        architecture: further arguments of `MessagePassing`.

    Raises:
        LabelError: frames without energies or forces.
    """
    frames = [a for a in frames if len(a) > 1]
    labels.check_labels(frames)
    elements = sorted({int(z) for a in frames for z in a.numbers})
    term = MessagePassing(elements, cutoff, seed=seed, **architecture).float()
    optimiser = torch.optim.Adam(term.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    rng, order = np.random.default_rng(seed), []
    with one_thread():
        for _ in tqdm(range(steps), desc="message passing", unit="step", disable=not progress):
            if len(order) < at_once:
                order = rng.permutation(len(frames)).tolist()
            chosen = [frames[order.pop()] for _ in range(min(at_once, len(order)))]
            optimiser.zero_grad()
            _loss(term, chosen).backward()
            nn.utils.clip_grad_norm_(term.parameters(), 10.0)
            optimiser.step()
            schedule.step()
    return Potential([term.requires_grad_(False)], elements=elements)


def _loss(term: MessagePassing, frames: Sequence[Atoms]) -> Tensor:
    batch = Batch.from_ase(frames, dtype=torch.float32)
    pairs = neighbours(batch, term.cutoff)
    positions = batch.positions.requires_grad_(True)
    sites = term(batch.with_positions(positions), pairs)
    (gradient,) = torch.autograd.grad(sites.sum(), positions, create_graph=True)
    energies = torch.as_tensor(labels.energies(frames), dtype=torch.float32)
    counts = torch.tensor([float(len(a)) for a in frames])
    misfit = (sum_by_structure(sites, batch) - energies) / counts
    forces = torch.as_tensor(labels.forces(frames), dtype=torch.float32)
    return misfit.pow(2).mean() + FORCE_WEIGHT * (gradient + forces).pow(2).mean()
