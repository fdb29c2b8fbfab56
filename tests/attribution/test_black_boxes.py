"""The same question put to models without a table: a quantum code, a foundation model, torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase.build import molecule

import interpmd as im
from interpmd.potentials import LennardJones, Potential

DIMER = molecule("H2O") + molecule("H2O")
DIMER.positions[3:] += [2.9, 0.2, 0.0]
TRIMER = DIMER + molecule("H2O")
TRIMER.positions[6:] += [1.3, 2.7, 0.3]


def test_quantum_chemistry_is_explained_by_fragments():
    """The many-body expansion of GFN2-xTB itself, against energies computed one by one."""
    from interpmd.reference.calculator import as_calculator

    calculator = as_calculator("gfn2-xtb")
    found = im.explain(calculator, TRIMER, fragments="molecules", order=None)
    assert found.residual < 1e-8

    def energy(*which):
        part = TRIMER[[a for m in which for a in range(3 * m, 3 * m + 3)]]
        part.calc = calculator
        return part.get_potential_energy()

    pair = energy(0, 1) - energy(0) - energy(1)
    triple = (
        energy(0, 1, 2)
        - energy(0, 1)
        - energy(0, 2)
        - energy(1, 2)
        + energy(0)
        + energy(1)
        + energy(2)
    )
    by_name = im.explain("gfn2-xtb", TRIMER, fragments="molecules", order=None)
    np.testing.assert_allclose(by_name.values, found.values, atol=1e-7)
    with pytest.raises(im.ModelError, match="im.load[(]'water'[)]"):
        im.explain("water", TRIMER)
    assert found[tuple(range(6))] == pytest.approx(pair, abs=1e-7)
    assert found[tuple(range(9))] == pytest.approx(triple, abs=1e-7)
    assert abs(triple) > 1e-4  # three molecules do not only interact in pairs


def test_forces_of_a_quantum_code_are_explained():
    from interpmd.reference.calculator import as_calculator

    found = im.explain(
        as_calculator("gfn2-xtb"), DIMER, im.Force(1), method="shapley", fragments="molecules"
    )
    assert found.values.shape == (2, 3)
    assert found.residual < 1e-8
    assert np.abs(found[(3, 4, 5)]).max() > 1e-3  # the other molecule pulls, too


def test_torch_functions_are_explained():
    def function(numbers, positions):
        vectors = positions[:, None] - positions[None]
        r2 = (vectors**2).sum(-1)[torch.triu_indices(len(numbers), len(numbers), 1).unbind()]
        return (1 / r2**3).sum()

    atoms = molecule("CH3OH")
    found = im.explain(im.TorchModel(function), atoms, order=2)
    assert found.residual < 1e-10
    assert found[(0, 1)] == pytest.approx(atoms.get_distance(0, 1) ** -6)
    assert np.abs(found.only(order=1).values).max() == 0


def test_captum_does_not_switch_off_the_forces_of_a_network():
    def function(numbers, positions):
        return torch.nn.functional.pdist(positions).pow(-6).sum()

    atoms = molecule("H2O")
    model = im.TorchModel(function)
    found = im.explain(model, atoms, im.Force(0, along=1), method="ablation")
    exact = im.explain(model, atoms, im.Force(0, along=1), context="in_situ", order=1)
    assert np.abs(exact.values).max() > 0.1
    assert np.allclose(found.values, [exact[(i,)] for i in range(3)], atol=1e-9)


def test_a_foundation_model_is_explained():
    chgnet = pytest.importorskip("chgnet.model.dynamics")
    calculator = chgnet.CHGNetCalculator(use_device="cpu")
    atoms = molecule("H2O")
    atoms.set_cell(np.eye(3) * 12)
    atoms.pbc = True
    atoms.center()
    found = im.explain(calculator, atoms, method="mobius", order=None)
    assert found.residual < 1e-5  # CHGNet computes in float32
    assert found.only(order=2).total < -1.0
    push = im.explain(calculator, atoms, im.Force(0, along=1), method="ablation")
    assert np.abs(push.values).max() > 0.01


def test_calculators_and_potentials_agree():
    potential = Potential([LennardJones(epsilon=0.05, sigma=1.4, cutoff=4.0)])
    mine = im.explain(potential, DIMER, im.Force(0), order=2)
    theirs = im.explain(potential.calculator(), DIMER, im.Force(0), order=2)
    assert np.allclose(mine[(0, 1)], theirs[(0, 1)], atol=1e-10)


def test_questions_that_cannot_be_answered():
    with pytest.raises(im.InterpmdError, match="cannot explain dict"):
        im.explain({}, DIMER, gauge="atoms")
    calculator = Potential([LennardJones(0.05, 1.4, 4.0)]).calculator()
    with pytest.raises(im.InterpmdError, match="evaluations"):
        im.explain(calculator, TRIMER + TRIMER, method="shapley")
    with pytest.raises(im.InterpmdError, match="in two fragments"):
        im.explain(calculator, DIMER, fragments=[[0, 1], [1, 2]])
    with pytest.raises(im.InterpmdError, match="neither 'molecules'"):
        im.explain(calculator, DIMER, fragments="((")
    with pytest.raises(im.InterpmdError, match="no option colour"):
        im.explain(calculator, DIMER, order=2, colour="red")
    with pytest.raises(im.InterpmdError, match="a ring"):
        im.explain(calculator, molecule("C6H6"), im.Torque((0, 1, 2, 3)), gauge="atoms")


def test_fragments_by_pattern_and_residue():
    ethanol = molecule("CH3CH2OH")
    groups = im.fragments_of(ethanol, "[OX2H]")
    oxygen = ethanol.symbols.search("O")[0]
    mine = next(g for g in groups if oxygen in g)
    assert sorted(ethanol.symbols[list(mine)]) == ["H", "O"]
    assert sorted(a for g in groups for a in g) == list(range(9))
    ethanol.set_array("residuenumbers", np.array([1] * 4 + [2] * 5))
    assert im.fragments_of(ethanol, "residues") == ((0, 1, 2, 3), (4, 5, 6, 7, 8))
    with pytest.raises(im.InterpmdError, match="names no residues"):
        im.fragments_of(molecule("H2O"), "residues")
    with pytest.raises(im.InterpmdError, match="matches nothing"):
        im.fragments_of(molecule("H2O"), "[#7]")
