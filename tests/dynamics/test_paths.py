"""Minima, saddle points, minimum-energy paths, scans: where they end, and going on from files."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import molecule
from ase.calculators.calculator import Calculator, all_changes
from ase.constraints import FixAtoms
from ase.io import read, write

import interpmd as im
from interpmd.demo import MALONALDEHYDE
from interpmd.dynamics.paths.result import arc_length
from interpmd.reference.calculator import as_calculator

DONOR, ACCEPTOR, PROTON = 4, 0, 8


class DoubleWell(Calculator):
    """Three atoms A, B, C of 16 (q² - 1/4)² + 5 (p - 2.4 - q²/2)² + (cos ABC + 1/2)² eV, with q the
    difference of AB and BC and p their sum: minima at q = ±1/2, a saddle point of 1 eV at 0."""

    implemented_properties = ["energy", "forces"]
    asked = 0

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.asked += 1
        places = torch.tensor(self.atoms.positions, requires_grad=True)
        left, right = places[0] - places[1], places[2] - places[1]
        q, p = left.norm() - right.norm(), left.norm() + right.norm()
        cosine = (left @ right) / left.norm() / right.norm()
        energy = 16 * (q**2 - 0.25) ** 2 + 5 * (p - 2.4 - q**2 / 2) ** 2 + (cosine + 0.5) ** 2
        (slope,) = torch.autograd.grad(energy, places)
        self.results = {"energy": float(energy), "forces": -slope.numpy()}


def triatomic(q: float, p: float = 2.5) -> Atoms:
    """Three atoms with this difference and sum of their bonds."""
    left, right = (p + q) / 2, (p - q) / 2
    return Atoms("HCH", [(left, 0, 0), (0, 0, 0), (-0.4 * right, 0.916 * right, 0)])


def difference(atoms: Atoms) -> float:
    """q of `DoubleWell`."""
    return atoms.get_distance(0, 1) - atoms.get_distance(1, 2)


@pytest.fixture(scope="module")
def potential():
    return im.load("malonaldehyde")


@pytest.fixture(scope="module")
def minimum(potential):
    return im.relax(potential, MALONALDEHYDE, force=0.005, progress=False).atoms


def handed_over(atoms: Atoms) -> Atoms:
    """The proton on the other oxygen."""
    product = atoms.copy()
    way = atoms.positions[DONOR] - atoms.positions[ACCEPTOR]
    product.positions[PROTON] = atoms.positions[ACCEPTOR] + way / np.linalg.norm(way)
    return product


@pytest.fixture(scope="module")
def band(potential, minimum):
    return im.path(potential, minimum, handed_over(minimum), force=0.02, progress=False)


def test_a_minimum_and_a_saddle_point_are_where_the_surface_has_them():
    down = im.relax(DoubleWell(), triatomic(0.3), force=1e-4, progress=False)
    assert down.converged and difference(down.atoms) == pytest.approx(0.5, abs=1e-4)
    assert down.energies[0] > 0.1 > down.energy and down.largest_forces[-1] < 1e-4
    assert "minimum of CH2 after" in repr(down) and "<table" in down._repr_html_()
    up = im.relax(DoubleWell(), triatomic(0.1), to="saddle", force=1e-4, progress=False)
    assert difference(up.atoms) == pytest.approx(0, abs=1e-4)
    assert up.energy == pytest.approx(1, abs=1e-6)
    assert im.normal_modes(DoubleWell(), up.atoms).unstable == 1
    assert im.normal_modes(DoubleWell(), down.atoms).unstable == 0


def test_a_minimum_is_no_saddle_point(potential, minimum):
    """Forces vanish there, too."""
    with pytest.warns(im.ConvergenceWarning, match="0 directions lead downhill, not one"):
        found = im.relax(potential, minimum, to="saddle", progress=False)
    assert not found.converged and "not yet a saddle point" in str(found)
    with pytest.raises(im.PathError, match="0 directions lead downhill"):
        im.path(potential, minimum, progress=False)


def test_what_cannot_be_scanned_is_said(potential):
    def scan(along, values):
        im.scan(potential, MALONALDEHYDE, along, values, progress=False)

    for along in ("ab", (4,), (4, 8.7), (4, -1), (4, True), 4):
        with pytest.raises(im.ArgumentError, match="along"):
            scan(along, [1.0, 1.1])
    for values in ("abc", 1.0, [1.0], [1.0, np.nan], [0.0, 1.0], [-1.0, 1.0]):
        with pytest.raises(im.ArgumentError, match="values"):
            scan((4, 8), values)
    with pytest.raises(im.ArgumentError, match="no angle is 190 °"):
        scan((1, 4, 8), [170, 190])
    said = {"malonaldehyde": "im.load[(]'malonaldehyde'[)]", None: "gives no energies and forces"}
    for model, words in said.items():
        with pytest.raises(im.ModelError, match=words):
            im.scan(model, MALONALDEHYDE, (4, 8), [1.0, 1.1])
        with pytest.raises(im.ModelError, match=words):
            im.simulate(model, MALONALDEHYDE)


def test_the_name_of_a_level_of_theory_moves_atoms_as_its_calculator_does():
    water, by = molecule("H2O"), as_calculator("gfn2-xtb")
    stretch = lambda atoms: atoms.get_distance(0, 1)  # noqa: E731
    for verb in (
        lambda model: im.relax(model, water, progress=False).energies,
        lambda model: im.normal_modes(model, water, progress=False).wave_numbers,
        lambda model: im.scan(model, water, (0, 1), [0.9, 1.0], progress=False).energies,
        lambda model: im.simulate(model, water, steps=3, progress=False).total_energies,
        lambda model: im.umbrella(
            model, water, stretch, [0.9, 1.0, 1.1], low=0.9, middle=1.0, high=1.1,
            steps=20, equilibration=5, progress=False,
        ).values,
    ):  # fmt: skip
        np.testing.assert_allclose(
            np.array(verb("gfn2-xtb")), np.array(verb(by)), rtol=1e-4, atol=1e-3
        )


def test_a_search_that_ends_too_soon_says_so():
    with pytest.warns(im.ConvergenceWarning, match="not yet a minimum of CH2 after 1 steps"):
        found = im.relax(DoubleWell(), triatomic(0.3), steps=1, force=1e-4, progress=False)
    assert not found.converged


def test_constraints_are_kept(potential):
    held = MALONALDEHYDE.copy()
    held.set_constraint(FixAtoms([0, 1]))
    found = im.relax(potential, held, progress=False)
    assert np.array_equal(found.atoms.positions[:2], MALONALDEHYDE.positions[:2])
    assert not np.array_equal(found.atoms.positions[2:], MALONALDEHYDE.positions[2:])


def test_a_search_goes_on_from_its_file(tmp_path):
    calculator, out = DoubleWell(), tmp_path / "down.traj"
    with pytest.warns(im.ConvergenceWarning):
        im.relax(calculator, triatomic(0.3), steps=2, force=1e-5, out=out, progress=False)
    half = len(read(out, ":"))
    whole = im.relax(calculator, triatomic(0.3), force=1e-5, out=out, progress=False)
    assert whole.converged and len(whole) > half and len(read(out, ":")) == len(whole)
    assert np.array_equal(whole.frames[0].positions, triatomic(0.3).positions)
    before = calculator.asked
    again = im.relax(calculator, triatomic(0.3), force=1e-5, out=out, progress=False)
    assert calculator.asked - before <= 1 and np.array_equal(again.energies, whole.energies)
    with pytest.raises(im.SimulationError, match=r"other settings \(start\)"):
        im.relax(calculator, triatomic(0.35), force=1e-5, out=out, progress=False)
    with pytest.raises(im.ArgumentError, match=r"\.traj"):
        im.relax(calculator, triatomic(0.3), out=tmp_path / "down.xyz", progress=False)
    frames = read(out, ":")
    frames[1].positions += 0.01
    write(out, frames)
    with pytest.raises(im.TrajectorySealError, match="frame 1"):
        im.relax(calculator, triatomic(0.3), force=1e-5, out=out, progress=False)
    out.write_text("something else")
    with pytest.raises(im.SimulationError, match="left as it is"):
        im.relax(calculator, triatomic(0.3), out=out, progress=False)
    assert out.read_text() == "something else"


def test_a_band_climbs_to_the_saddle_point():
    ends = triatomic(-0.4), triatomic(0.4)
    found = im.path(DoubleWell(), *ends, force=0.01, progress=False)
    assert found.converged and found.how == "neb" and len(found) == 11
    assert found.barrier == pytest.approx(1, abs=1e-3)
    q = np.array([difference(frame) for frame in found])
    assert q[found.highest] == pytest.approx(0, abs=5e-3)
    # what force there is points along the path, towards the neighbour uphill
    for number in [n for n in range(1, 10) if n != found.highest]:
        uphill = found[number + (1 if number < found.highest else -1)]
        along, force = uphill.positions - found[number].positions, found[number].get_forces()
        across = force - along * (force * along).sum() / (along**2).sum()
        assert np.linalg.norm(across, axis=1).max() < 0.02 < np.abs(force).max()


def test_the_proton_of_malonaldehyde_has_one_barrier_by_band_and_by_reaction_coordinate(
    potential, band
):
    assert band.converged and "minimum-energy path (nudged elastic band) of C3H4O2" in repr(band)
    assert 0.10 < band.barrier < 0.16 and band.reaction_energy == pytest.approx(0, abs=1e-4)
    down = im.path(potential, band.top, force=0.02, step_length=0.05, progress=False)
    assert down.converged and down.how == "irc"
    assert down.barrier == pytest.approx(band.barrier, abs=2e-3)
    assert np.diff(down.coordinate) == pytest.approx(0.05, rel=0.01)
    modes = im.normal_modes(potential, down.top)
    assert modes.unstable == 1 and modes[-1].leader == PROTON
    # the first step down is along the unstable mode
    step = down[down.highest + 1].positions - down.top.positions
    mode = modes[-1].displacement * down.top.get_masses()[:, None] ** 0.5
    step = step * down.top.get_masses()[:, None] ** 0.5
    overlap = (step * mode).sum() / np.linalg.norm(step) / np.linalg.norm(mode)
    assert abs(overlap) > 0.99
    turned = down.reversed()
    assert turned.barrier == pytest.approx(down.reverse_barrier)
    assert turned.coordinate[0] == -down.coordinate[-1]


def test_paths_go_on_from_their_files(potential, minimum, tmp_path):
    out = tmp_path / "band.traj"
    ends = (minimum, handed_over(minimum))
    with pytest.warns(im.ConvergenceWarning):
        im.path(potential, *ends, steps=3, force=0.02, out=out, progress=False)
    whole = im.path(potential, *ends, force=0.02, out=out, progress=False)
    assert whole.converged and 0.10 < whole.barrier < 0.16
    assert np.array_equal(
        [frame.positions for frame in read(out, ":")], [frame.positions for frame in whole]
    )
    down = tmp_path / "down.traj"
    first = im.path(potential, whole.top, force=0.05, out=down, progress=False)
    again = im.path(potential, whole.top, force=0.05, out=down, progress=False)
    assert np.array_equal(first.energies, again.energies) and not first[0].info


class Counted(Calculator):
    """Another calculator that counts how often it is asked, and is interrupted at a number."""

    implemented_properties = ["energy", "forces"]

    def __init__(self, other, number=-1):
        super().__init__()
        self.other, self.number, self.asked = other, number, 0

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.asked += 1
        if self.asked == self.number:
            raise KeyboardInterrupt
        self.results = {
            "energy": self.other.get_potential_energy(atoms),
            "forces": self.other.get_forces(atoms).copy(),
        }


def test_a_way_down_goes_on_from_where_it_was_broken_off(potential, band, tmp_path):
    how = {"force": 0.03, "step_length": 0.05, "progress": False}
    straight = Counted(potential.calculator())
    whole = im.path(straight, band.top, **how)
    out = tmp_path / "down.traj"
    number = round(0.8 * straight.asked)  # on the second way down
    with pytest.warns(im.ConvergenceWarning):
        half = im.path(Counted(potential.calculator(), number), band.top, out=out, **how)
    assert 10 < len(half) < len(whole) - 3
    rest = Counted(potential.calculator())
    again = im.path(rest, band.top, out=out, **how)
    assert again.converged and abs(len(again) - len(whole)) <= 1
    # what was there is there still, and what follows lies on the same path
    assert np.array_equal(again.energies[: len(half)], half.energies)
    assert again.energies[:-1] == pytest.approx(whole.energies[: len(again) - 1], abs=1e-4)
    # the rest of the way and the curvature at the saddle point, no structure twice
    assert rest.asked < straight.asked - number + 40
    before = rest.asked
    third = im.path(rest, band.top, out=out, **how)
    assert third.converged and rest.asked == before
    assert np.array_equal(third.energies, again.energies)


def test_a_way_down_that_ran_out_of_steps_says_so_again_and_goes_on(potential, band, tmp_path):
    how = {"force": 0.05, "step_length": 0.1, "progress": False, "out": tmp_path / "down.traj"}
    for length in (5, 9):
        with pytest.warns(im.ConvergenceWarning):
            short = im.path(potential, band.top, steps=2, **how)
        assert len(short) == length


def test_ends_of_a_band_are_kept_on_their_way(potential, minimum, monkeypatch, tmp_path):
    monkeypatch.setattr("interpmd.dynamics.stages.EVERY", 0.0)
    out, far = tmp_path / "band.traj", minimum.copy()
    far.rattle(0.05, seed=1)
    ends = (far, handed_over(far))
    with pytest.raises(KeyboardInterrupt):
        im.path(Counted(potential.calculator(), 9), *ends, images=5, out=out, progress=False)
    kept = read(out, ":")
    assert len(kept) == 2
    assert kept[0].get_potential_energy() < im.load("malonaldehyde").predict(far).energy[0] - 0.05
    whole = im.path(Counted(potential.calculator()), *ends, images=5, out=out, progress=False)
    assert len(whole) == 5 and 0.10 < whole.barrier < 0.16


class Interrupted(DoubleWell):
    """Somebody presses Ctrl-C at the call of this number."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        if self.asked == self.number:
            self.asked += 1
            raise KeyboardInterrupt
        super().calculate(atoms, properties, system_changes)


@pytest.mark.parametrize("kind", ["relax", "band", "scan"])
def test_who_interrupts_gets_what_is_in_the_file(kind, tmp_path):
    out = tmp_path / "half.traj"

    def search(calculator, out):
        if kind == "relax":
            start = triatomic(0.1, 2.9)
            return im.relax(calculator, start, force=1e-5, out=out, progress=False)
        if kind == "band":
            ends = triatomic(-0.4), triatomic(0.4)
            return im.path(calculator, *ends, relax_ends=False, force=0.01, out=out, progress=False)
        values = np.linspace(1.2, 1.5, 5)
        return im.scan(calculator, triatomic(0.3), (0, 1), values, out=out, progress=False)

    number = {"relax": 4, "band": 40, "scan": 30}[kind]
    with pytest.raises(KeyboardInterrupt):
        search(Interrupted(number), None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", im.ConvergenceWarning)
        half = search(Interrupted(number), out)
    assert not half.converged and len(read(out, ":")) == len(half)
    whole, straight = search(Interrupted(-1), out), search(DoubleWell(), None)
    assert whole.converged
    assert whole.energies[-1] == pytest.approx(straight.energies[-1], abs=1e-3)
    if kind == "scan":
        assert np.array_equal(whole.energies[: len(half)], half.energies) and len(whole) == 5


def test_ends_of_a_band_must_be_two(potential, minimum):
    with pytest.raises(im.PathError, match="the same structure"):
        im.path(potential, minimum, minimum, progress=False)
    with pytest.raises(im.PathError, match="same atoms in the same order"):
        im.path(potential, minimum, molecule("H2O"), progress=False)


def test_the_length_of_a_path_knows_no_rotation(band):
    turned = [frame.copy() for frame in band]
    for number, frame in enumerate(turned):
        frame.rotate(20 * number, (1, 2, 3))
        frame.translate((number, 0, 0))
    assert arc_length(turned) == pytest.approx(arc_length(list(band)), abs=1e-9)


def test_a_scan_holds_the_coordinate_and_relaxes_the_rest(tmp_path):
    water, potential = molecule("H2O"), im.load("water")
    angles = [95.0, 105.0, 115.0]
    out = tmp_path / "scan.traj"
    with warnings.catch_warnings():
        warnings.simplefilter("error", im.ConvergenceWarning)
        soft = im.scan(potential, water, (1, 0, 2), angles, out=out, progress=False)
        rigid = im.scan(potential, water, (1, 0, 2), angles, relax=False, progress=False)
    for path in (soft, rigid):
        assert [frame.get_angle(1, 0, 2) for frame in path] == pytest.approx(angles, abs=1e-4)
        assert path.quantity == "angle H1–O0–H2" and path.unit == "°" and path.converged
    assert (soft.energies < rigid.energies).all() and soft.highest == 0
    assert [frame.get_distance(0, 1) for frame in rigid] == pytest.approx(
        [water.get_distance(0, 1)] * 3
    )
    again = im.scan(potential, water, (1, 0, 2), angles, out=out, progress=False)
    assert np.array_equal(again.energies, soft.energies)
    with pytest.raises(im.StructureError, match="two to four different atoms"):
        im.scan(potential, water, (0, 9), [1.0, 1.1], progress=False)
    with pytest.raises(im.ArgumentError, match="values are two numbers or more"):
        im.scan(potential, water, (0, 1), [1.0], progress=False)


def test_pictures_show_the_numbers(band, potential, minimum):
    ax = band.plot()
    assert f"{band.barrier:.3f} eV" in [text.get_text() for text in ax.texts]
    assert ax.get_xlabel() == "reaction coordinate (Å √u)"
    modes = im.normal_modes(potential, minimum)
    assert modes.unstable == 0 and f"{modes.zero_point_energy:.3f} eV" in modes.plot().get_title()
    assert len(modes.to_frame()) == 21
