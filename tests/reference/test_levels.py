"""Energies and forces of the back-ends: against other code and against finite differences."""

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, molecule

from interpmd import errors
from interpmd.errors import (
    ArgumentError,
    ModelError,
    StructureError,
    UnknownElementError,
    UnknownLevelError,
)
from interpmd.levels.names import resolve
from interpmd.reference import available_levels, isolated_atoms, label
from interpmd.reference.calculator import ReferenceCalculator, as_calculator


def distorted(name: str = "H2O") -> Atoms:
    atoms = molecule(name)
    atoms.rattle(0.08, seed=3)
    return atoms


def finite_difference_forces(atoms: Atoms, level: str, step: float, **options) -> np.ndarray:
    theory = resolve(level)
    forces = np.zeros((len(atoms), 3))
    for index in range(3 * len(atoms)):
        energies = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions.flat[index] += sign * step
            energies.append(theory.evaluate(moved, **options).energy)
        forces.flat[index] = -(energies[0] - energies[1]) / (2 * step)
    return forces


@pytest.mark.parametrize(("level", "name"), [("gfn2-xtb", "GFN2-xTB"), ("gfn1-xtb", "GFN1-xTB")])
def test_tight_binding_agrees_with_the_calculator_of_tblite(level, name):
    from tblite.ase import TBLite

    atoms = distorted("CH3CH2OH")
    [labelled] = label(atoms, level, progress=False)
    atoms.calc = TBLite(method=name, verbosity=0, accuracy=0.01)
    assert labelled.get_potential_energy() == pytest.approx(atoms.get_potential_energy(), abs=1e-7)
    np.testing.assert_allclose(labelled.get_forces(), atoms.get_forces(), atol=1e-6)


def test_tight_binding_stress_of_a_crystal():
    from tblite.ase import TBLite

    atoms = bulk("Si", "diamond", a=5.3)
    atoms.rattle(0.05, seed=1)
    [labelled] = label(atoms, "gfn1-xtb", progress=False)
    atoms.calc = TBLite(method="GFN1-xTB", verbosity=0, accuracy=0.01)
    np.testing.assert_allclose(labelled.get_stress(), atoms.get_stress(), atol=1e-7)
    strained, energies = [], []
    for strain in (1e-3, -1e-3):
        copy = atoms.copy()
        copy.set_cell(atoms.cell * [1 + strain, 1, 1], scale_atoms=True)
        strained.append(copy)
        energies.append(label(copy, "gfn1-xtb", progress=False)[0].get_potential_energy())
    slope = (energies[0] - energies[1]) / 2e-3 / atoms.get_volume()
    assert labelled.get_stress()[0] == pytest.approx(slope, abs=1e-5)


@pytest.mark.parametrize(("charge", "multiplicity"), [(0, 1), (1, 2), (0, 3)])
def test_tight_binding_forces_are_the_slope_of_the_energy(charge, multiplicity):
    atoms = distorted()
    options = {"charge": charge, "multiplicity": multiplicity}
    forces = resolve("gfn2-xtb").evaluate(atoms, **options).forces
    expected = finite_difference_forces(atoms, "gfn2-xtb", 3e-4, **options)
    np.testing.assert_allclose(forces, expected, rtol=1e-5, atol=1e-5)
    assert np.abs(forces).max() > 0.1


@pytest.mark.parametrize(
    ("level", "multiplicity", "charge"),
    [("b3lyp-d3bj/sto-3g", 1, 0), ("pbe-d4/sto-3g", 1, 0), ("hf/sto-3g", 2, 1)],
)
def test_dft_forces_are_the_slope_of_the_energy(level, multiplicity, charge):
    atoms = distorted()
    options = {"charge": charge, "multiplicity": multiplicity}
    forces = resolve(level).evaluate(atoms, **options).forces
    # stretch one bond: 2 energies instead of 18
    bond = atoms.positions[1] - atoms.positions[0]
    bond /= np.linalg.norm(bond)
    energies = []
    for step in (2e-3, -2e-3):
        moved = atoms.copy()
        moved.positions[1] += step * bond
        energies.append(resolve(level).evaluate(moved, **options).energy)
    assert forces[1] @ bond == pytest.approx(-(energies[0] - energies[1]) / 4e-3, abs=2e-3)
    assert abs(forces[1] @ bond) > 0.1


def test_dft_energy_of_hydrogen_atom_and_dispersion():
    # exact Hartree-Fock energy of H in the STO-3G basis: -0.466581850 hartree (Szabo, Ostlund)
    [atom] = isolated_atoms(["H"], "hf/sto-3g")
    assert atom.get_potential_energy() / units.Hartree == pytest.approx(-0.4665818, abs=1e-6)
    pair = Atoms("He2", [[0, 0, 0], [0, 0, 3.0]])
    plain, corrected = (
        label(pair, level, progress=False)[0] for level in ("pbe/sto-3g", "pbe-d3bj/sto-3g")
    )
    gain = corrected.get_potential_energy() - plain.get_potential_energy()
    assert -5e-3 < gain < -1e-5
    pull = corrected.get_forces()[1, 2] - plain.get_forces()[1, 2]
    assert pull < -1e-6


def test_isolated_atoms_are_in_their_ground_state():
    atoms = isolated_atoms([1, 6, "O", 8], "gfn2-xtb")
    assert [str(a.symbols) for a in atoms] == ["H", "C", "O"]
    assert [a.info["multiplicity"] for a in atoms] == [2, 3, 3]
    assert {a.info["config_type"] for a in atoms} == {"IsolatedAtom"}
    expected = [-10.70721138, -48.79807982, -102.52180711]
    np.testing.assert_allclose([a.get_potential_energy() for a in atoms], expected, atol=1e-6)
    assert all((a.get_forces() == 0).all() for a in atoms)


def test_what_is_no_element_is_said():
    assert [str(a.symbols) for a in isolated_atoms("HCl", "gfn2-xtb")] == ["H", "Cl"]
    for given in ("Xx", [0], [300], [1.5], [True], [None]):
        with pytest.raises(UnknownElementError, match="no element"):
            isolated_atoms(given)
    with pytest.raises(ArgumentError, match="elements are given as"):
        isolated_atoms(8)
    with pytest.raises(ArgumentError, match="charge"):
        label(molecule("H2O"), charge=float("nan"))
    with pytest.raises(ModelError, match="neither the name of a level"):
        as_calculator(None)


def test_oxygen_atom_is_a_triplet_in_dft():
    [triplet] = isolated_atoms(["O"], "pbe/sto-3g")
    singlet = triplet.copy()
    singlet.info = {"multiplicity": 1}
    [singlet] = label(singlet, "pbe/sto-3g", progress=False)
    assert triplet.get_potential_energy() < singlet.get_potential_energy() - 1.0


@pytest.mark.parametrize("level", ["gfn3-xtb", "wb97x-d3bj", "/def2-svp", "pbe/", ""])
def test_unknown_levels_say_what_exists(level):
    with pytest.raises(
        UnknownLevelError, match="available: gfn1-xtb, gfn2-xtb, mmff94, .*, or DFT"
    ):
        label(molecule("H2O"), level)


@pytest.mark.parametrize(
    ("level", "culprit"), [("pbf/def2-svp", "pbf"), ("pbe/def3-svp", "def3-svp")]
)
def test_unknown_functional_or_basis_is_named(level, culprit):
    with pytest.raises(UnknownLevelError, match=culprit):
        label(molecule("H2O"), level)


def test_available_levels_can_be_resolved():
    table = available_levels()
    assert table["installed"].all()
    for name in table["level"]:
        assert resolve(name).name == name
        assert name.split("/")[0] in resolve(name.upper()).name


def test_parity_of_electrons():
    radical = Atoms("OH", positions=[[0, 0, 0], [0, 0, 0.97]])
    with pytest.raises(StructureError, match="9 electrons .odd.*cannot have multiplicity 1"):
        label(radical, progress=False)
    with pytest.raises(StructureError, match="10 electrons .even.*cannot have multiplicity 2"):
        label(molecule("H2O"), multiplicity=2, progress=False)
    with pytest.raises(StructureError, match="1 electrons"):
        label(Atoms("H"), multiplicity=4, progress=False)
    with pytest.raises(StructureError, match="H2O has 10 electrons, from which a charge of 50 e"):
        label(molecule("H2O"), charge=50, progress=False)
    radical.info = {"spin": 2}
    [doublet] = label(radical, progress=False)
    assert doublet.info["multiplicity"] == 2
    moments = molecule("OH")  # ASE's own has an initial magnetic moment of 1
    moments.positions = radical.positions
    [labelled] = label(moments, progress=False)
    assert labelled.get_potential_energy() == pytest.approx(doublet.get_potential_energy())


def test_calculators_give_the_same_numbers_as_labels():
    atoms = distorted()
    [labelled] = label(atoms, progress=False)
    for calculator in (ReferenceCalculator("gfn2-xtb"), as_calculator("gfn2-xtb")):
        copy = atoms.copy()
        copy.calc = calculator
        assert copy.get_potential_energy() == pytest.approx(
            labelled.get_potential_energy(), abs=1e-6
        )
        np.testing.assert_allclose(copy.get_forces(), labelled.get_forces(), atol=2e-5)


def test_former_names_work_and_warn():
    water = molecule("H2O")
    [expected] = label(water, level="gfn1-xtb", progress=False)
    with pytest.warns(FutureWarning, match=r"label\(method=...\) is now label\(level=...\)"):
        [labelled] = label(water, method="gfn1-xtb", progress=False)
    assert labelled.info["level"] == "gfn1-xtb"
    assert labelled.get_potential_energy() == expected.get_potential_energy()
    with pytest.warns(FutureWarning, match=r"isolated_atoms\(level=...\)"):
        assert isolated_atoms(["H"], method="gfn1-xtb")[0].info["level"] == "gfn1-xtb"
    with pytest.warns(FutureWarning, match=r"ReferenceCalculator\(level=...\)"):
        assert ReferenceCalculator(method="gfn1-xtb").level.name == "gfn1-xtb"
    with pytest.warns(FutureWarning, match="available_levels"):
        from interpmd.reference import available_methods
    assert available_methods().equals(available_levels())
    assert errors.UnknownMethodError is UnknownLevelError
