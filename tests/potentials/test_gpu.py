"""Potentials on a GPU give the numbers of the CPU; without one these tests are skipped."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.stress import full_3x3_to_voigt_6_stress
from structures_of_tests import crystal, ethanol

import interpmd as im
from interpmd.demo import MALONALDEHYDE
from interpmd.fitting.closed_form import unlearned
from interpmd.fitting.device import DeviceEquations
from interpmd.fitting.normal import NormalEquations, column_scales
from interpmd.fitting.problem import Problem
from interpmd.fitting.settings import FitSettings
from interpmd.potentials import LennardJones, Potential
from interpmd.potentials.base import TERMS
from interpmd.potentials.uncertainty import uncertainty
from interpmd.structures.systems import Batch

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
STRUCTURES = [ethanol(), crystal(), ethanol()[:4]]


def on_gpu(potential: Potential) -> Potential:
    return copy.deepcopy(potential).to("cuda")


@needs_gpu
@pytest.mark.parametrize("kind", sorted(TERMS))
def test_terms_have_the_same_energies_forces_and_stress(kind):
    potential = Potential([TERMS[kind].example()])
    there = on_gpu(potential)
    for atoms in STRUCTURES:
        if potential.global_terms and atoms.pbc.any():
            continue
        expected = potential.predict(atoms, stress=bool(atoms.pbc.all()))
        found = there.predict(Batch.from_ase(atoms, device="cuda"), stress=bool(atoms.pbc.all()))
        assert found.forces.is_cuda
        for name in ("energy", "forces", "site_energies", "stress"):
            if (value := getattr(expected, name)) is not None:
                difference = (getattr(found, name).cpu() - value).abs().max()
                assert difference < 1e-9, (kind, atoms.symbols, name)


@needs_gpu
def test_a_shipped_potential_in_batches_with_error_bars():
    potential, many = im.load("malonaldehyde"), [MALONALDEHYDE, ethanol(), MALONALDEHYDE]
    there = on_gpu(potential)
    expected, found = potential.predict(many), there.predict(many)
    assert (found.energy.cpu() - expected.energy).abs().max() < 1e-9
    assert (found.forces.cpu() - expected.forces).abs().max() < 1e-8
    bars = uncertainty(potential, potential.batch(many))
    bars_there = uncertainty(there, there.batch(many))
    assert np.allclose(bars_there.forces_std.cpu(), bars.forces_std, rtol=1e-4)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=needs_gpu)])
def test_a_fit_by_torch_has_the_normal_equations_of_one_by_generated_code(device):
    frames = labelled()
    spec = im.Spec(weights=400)
    base = unlearned(dict.fromkeys((1, 6, 8), 0.0), {})
    problem = Problem(spec.expansion([1, 6, 8], 0), base, spec, FitSettings())
    scale, targets = column_scales(problem.term, frames, 0), problem.targets(frames)
    here = NormalEquations(problem.term, scale, memory=1.0)
    there = DeviceEquations(problem.term, scale, 1.0, device)
    here.add(frames, targets)
    there.add(frames, targets)
    largest = np.abs(here.matrix).max()
    assert here.rows == there.rows == sum(1 + 3 * len(a) + 9 * a.pbc.all() for a in frames)
    assert np.allclose(np.tril(here.matrix), np.tril(there.sums.cpu()), atol=1e-9 * largest)
    prior = problem.prior(here, 1e-4)
    one, two = here.solve(prior), there.solve(prior)
    assert np.allclose(one.mean, two.mean, atol=1e-6 * np.abs(one.mean).max())
    assert np.allclose(one.samples(3, 0), two.samples(3, 0), rtol=1e-3, atol=1e-9)
    more = [(np.ones((2, len(scale))), np.ones(2))]
    here.add_rows(more)
    there.add_rows(more)
    one, two = here.solve(prior), there.solve(prior)
    assert np.allclose(one.mean, two.mean, atol=1e-6 * np.abs(one.mean).max())


def test_a_device_that_does_not_exist_is_named():
    with pytest.raises(im.ArgumentError, match="torch cannot use device 'cuda:77'"):
        im.fit(labelled(), spec={"weights": 50}, device="cuda:77", progress=False)


def labelled() -> list[Atoms]:
    """Frames with energies, forces and, of the cell, stress, by a potential that is not learned."""
    potential, frames = Potential([LennardJones.example()]), []
    for seed in range(6):
        atoms = (crystal() if seed % 2 else ethanol()).copy()
        atoms.rattle(0.05, seed=seed)
        found = potential.predict(atoms, stress=bool(atoms.pbc.all()))
        results = {"energy": float(found.energy), "forces": found.forces.numpy()}
        if found.stress is not None:
            results["stress"] = full_3x3_to_voigt_6_stress(found.stress[0].numpy())
        atoms.calc = SinglePointCalculator(atoms, **results)
        frames.append(atoms)
    return frames
