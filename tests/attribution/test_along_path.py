"""Relative energy gradient, reaction force, activation strain: known answers, known reasons."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import xarray as xr
from ase import Atoms
from ase.build import molecule

import interpmd as im
from interpmd.attribution.along_path.reaction_force import reaction_force
from interpmd.demo import MALONALDEHYDE
from interpmd.reference.calculator import as_calculator

CLOSED = 1e-8  # eV


def dataset(values: np.ndarray, along: np.ndarray) -> xr.Dataset:
    """Rows a, b, ... along a path."""
    names = [chr(ord("a") + row) for row in range(values.shape[1])]
    place = ("frame", along, {"long_name": "reaction coordinate", "units": "Å"})
    return xr.Dataset(
        {"value": (("frame", "interaction"), values)},
        {"along": place, "time_fs": ("frame", along), "interaction": names},
        {"target": "energy along the path", "unit": "eV", "gauge": "internal"},
    )


@cache
def proton_path() -> im.Path:
    """The proton of malonaldehyde from O4 to O0."""
    potential = im.load("malonaldehyde")
    minimum = im.relax(potential, MALONALDEHYDE, progress=False).atoms
    product = minimum.copy()
    way = minimum.positions[4] - minimum.positions[0]
    product.positions[8] = minimum.positions[0] + way / np.linalg.norm(way)
    band = im.path(potential, minimum, product, force=0.05, progress=False)
    down = im.path(potential, band.top, force=0.02, step_length=0.05, progress=False)
    return down if down[0].get_distance(4, 8) < down[0].get_distance(0, 8) else down.reversed()


@cache
def butane_turned() -> im.Path:
    """Butane from trans to cis, by GFN2-xTB."""
    calculator = as_calculator("gfn2-xtb")
    trans = im.relax(calculator, molecule("trans-butane"), progress=False).atoms
    angles = np.linspace(180, 0, 19)
    return im.scan(calculator, trans, (0, 1, 2, 3), angles, force=0.005, progress=False)


@cache
def dimer_apart() -> im.Path:
    """A water dimer pulled apart, by the shipped potential."""
    dimer = Atoms(
        "OH2OH2",
        [
            (0, 0, 0),
            (0.96, 0, 0),
            (-0.24, 0.93, 0),
            (2.9, 0, 0),
            (3.3, 0.5, 0.72),
            (3.3, 0.5, -0.72),
        ],
    )
    potential = im.load("water")
    relaxed = im.relax(potential, dimer, force=0.005, progress=False).atoms
    return im.scan(potential, relaxed, (0, 3), np.arange(2.8, 4.5, 0.2), progress=False)


def test_works_of_a_quartic_barrier():
    """E = h (1 - s²)² has its strongest forces at ±1/√3, where E is 4/9 h."""
    s = np.linspace(-1, 1, 161)
    whole = 0.9 * (1 - s**2) ** 2
    values = np.stack([0.25 * whole + 0.1 * (s + 1), 0.75 * whole - 0.1 * (s + 1)], axis=1)
    for table, sign in ((dataset(values, s), 1), (dataset(values, -s), -1)):
        found = reaction_force(table)
        assert found.works.tolist() == pytest.approx([0.4, 0.5, -0.5, -0.4], abs=2e-5)
        bounds = sign * np.array([-1, -(3**-0.5), 0, 3**-0.5, 1])
        assert found.bounds.tolist() == pytest.approx(bounds.tolist(), abs=1e-4)
        assert found.barrier == pytest.approx(0.9, abs=1e-6) and found.residual < CLOSED
        first = 0.25 * 0.4 + 0.1 * (1 - 3**-0.5)
        assert found.rows.loc["a", "W1"] == pytest.approx(first, abs=2e-5)
        # the force is minus the slope of the energy
        slope = np.gradient(found.energy, found.coordinate)
        assert found.force[5:-5] == pytest.approx(-slope[5:-5], abs=5e-3)
    assert "44 % before the force is strongest (W1, most of b)" in found.headline


def test_shoulders_do_not_take_the_place_of_the_strongest_forces():
    s = np.linspace(-1.5, 1.5, 121)

    def energy(x):
        bumps = 0.15 * np.exp(-(((x - 0.9) / 0.15) ** 2)) + 0.1 * np.exp(-(((x + 1) / 0.2) ** 2))
        return 0.9 * np.exp(-(x**2) / 0.3) + bumps

    found = reaction_force(dataset(np.stack([energy(s), np.zeros_like(s)], axis=1), s))
    fine = np.linspace(-1.5, 1.5, 60_001)
    slope, top = np.gradient(energy(fine), fine), fine[energy(fine).argmax()]
    before, behind = fine < top, fine > top
    steepest = fine[before][slope[before].argmax()], fine[behind][slope[behind].argmin()]
    assert (found.bounds["alpha"], found.bounds["beta"]) == pytest.approx(steepest, abs=2e-3)
    assert found.bounds["top"] == pytest.approx(top, abs=1e-3)


def test_a_path_without_a_barrier_has_no_reaction_force():
    s = np.linspace(0, 1, 11)
    with pytest.raises(im.PathError, match="no top inside"):
        reaction_force(dataset(np.stack([s, s**2], 1), s))
    with pytest.raises(im.PathError, match="before the top"):
        reaction_force(dataset(np.stack([-((s - 0.4) ** 2), 0 * s], 1), s))
    with pytest.raises(im.PathError, match="5 frames"):
        reaction_force(dataset(np.ones((4, 2)), s[:4]))


def test_correlations_say_which_rows_follow():
    s = np.linspace(0, 1, 21)
    wave = 0.1 * np.sin(2 * np.pi * s)
    values = np.stack([2 * s, -s + wave, np.zeros_like(s)], axis=1)
    found = dataset(values, s).reg()
    assert found.slopes.shape == (3, 1) and found.slopes.iloc[:, 0].sum() == pytest.approx(1)
    r = np.corrcoef(np.column_stack([values[:, :2], values.sum(1)]).T)[2, :2]
    assert found.correlations.iloc[:2, 0].tolist() == pytest.approx(r.tolist())
    assert np.isnan(found.correlations.iloc[2, 0])
    assert found.ranked("0-1 Å").index[0] == "a" and "comes first from a" in found.headline
    with pytest.raises(im.TrajectoryError, match="no segment"):
        found.ranked("2-3 Å")


def test_the_proton_of_malonaldehyde_climbs_as_its_hydrogen_bond_is_squeezed():
    """Up to the top the oxygens approach by 0.19 Å; down the same happens in reverse."""
    path = proton_path()
    table = im.explain_path(im.load("malonaldehyde"), path, progress=False)
    assert table.gauge.name == "internal" and table.axis == "reaction coordinate (Å √u)"
    assert table.residual < CLOSED and table.unresolved < 1e-4
    assert table.dataset.total.values == pytest.approx(path.energies - path.energies[0], abs=1e-8)
    slopes = table.reg()
    assert len(slopes) == 2 and np.abs(slopes.slopes.sum() - 1).max() < CLOSED
    up, down = slopes.slopes
    assert path[0].get_distance(0, 4) - path.top.get_distance(0, 4) == pytest.approx(0.19, abs=0.02)
    assert slopes.ranked(up).index[0] == "shared proton O0–H8"
    assert slopes.ranked(down).index[0] == "shared proton O4–H8"
    assert slopes.ranked(up).iloc[0] == pytest.approx(slopes.ranked(down).iloc[0], abs=0.02)
    force = table.reaction_force()
    assert force.residual < CLOSED and force.barrier == pytest.approx(path.barrier, abs=1e-3)
    assert force.works["W1"] == pytest.approx(-force.works["W4"], abs=1e-3)
    assert force.works["W1"] > 2 * force.works["W2"] > 0
    kinds = table.by("kind")
    assert kinds.residual < CLOSED and "shared proton" in kinds.dataset.interaction.values
    with pytest.raises(im.PathError, match="strain is of fragments"):
        table.strain()
    with pytest.raises(im.GroupingError, match="kind, order, term"):
        table.by("colour")


def test_splines_resolve_what_trapezoids_miss():
    path, potential = proton_path(), im.load("malonaldehyde")
    table = im.explain_path(potential, path, progress=False)
    by_trapezoids = im.ledger(potential, list(path), progress=False)
    assert table.unresolved < 0.03 * by_trapezoids.attrs["largest_closure_error_eV"]
    assert table.residual < CLOSED and "between the frames" in table.dataset.interaction.values
    with pytest.warns(im.LedgerWarning, match="nearer to each other"):
        im.explain_path(potential, [path[0], path.top, path[-1]], progress=False)


def test_the_barrier_of_butane_is_torsional_and_that_of_cis_steric_besides():
    """Trans to 120° costs what the rotation of ethane does; cis costs more by its methyl groups."""
    path = butane_turned()
    assert path.energies[6] - path.energies[0] == pytest.approx(0.111, abs=0.005)
    calculator = as_calculator("gfn2-xtb")
    bonded = im.explain_path(calculator, path, gauge="internal", progress=False)
    assert bonded.residual < CLOSED and bonded.unresolved < 5e-4
    assert bonded.dataset.interaction.values[0] == "torsion about C1–C2"
    assert bonded.reg().ranked("180-120 °").iloc[0] > 0.95
    groups = im.explain_path(calculator, path, gauge="groups", progress=False)
    rows = groups.to_frame()
    assert groups.residual < CLOSED
    middle, ends = "CH2(1) · CH2(2)", "CH3(0) · CH2(1) · CH2(2) · CH3(3)"
    slopes = groups.reg()
    assert slopes.ranked("180-120 °").index[0] == middle
    # the axis itself costs the same at both barriers, the methyl groups repel each other in cis
    assert rows[middle].iloc[6] == pytest.approx(rows[middle].iloc[-1], abs=0.01)
    assert rows[ends].iloc[6] < 0.0 and rows[ends].iloc[-1] > 0.04
    strain = groups.strain("first")
    assert strain.residual < CLOSED
    assert 0.03 < strain.strain.iloc[-1].sum() < 0.07 and strain.strain.iloc[6].sum() < 0.01
    assert "at the top (0)" in strain.headline
    with pytest.raises(im.PathError, match="no relaxed shape"):
        groups.strain()


def test_strain_and_interaction_of_a_water_dimer():
    path, potential = dimer_apart(), im.load("water")
    table = im.explain_path(potential, path, progress=False)
    assert table.gauge.name == "molecules"
    strain = table.strain()
    assert strain.residual < CLOSED and strain.reference == "relaxed"
    assert set(strain.strain) == {
        "H2O(0)",
        "H2O(3)",
    }
    assert (strain.strain.to_numpy() > -1e-4).all()
    # the parts by themselves, evaluated here
    energy = lambda atoms: float(potential.predict(atoms).energy[0])  # noqa: E731
    alone = im.relax(potential, molecule("H2O"), force=0.001, progress=False).energy
    for number in (0, 3, -1):
        frame = path[number]
        first, second = energy(frame[:3]), energy(frame[3:])
        between = energy(frame) - first - second
        assert strain.interaction.iloc[number].sum() == pytest.approx(between, abs=1e-6)
        assert strain.strain["H2O(0)"].iloc[number] == pytest.approx(first - alone, abs=2e-4)
        assert strain.total[number] == pytest.approx(energy(frame) - 2 * alone, abs=4e-4)
    # the donor alone is strained, by the bond that points to the acceptor
    assert strain.interaction.iloc[0].sum() == pytest.approx(-0.217, abs=0.01)
    donor, acceptor = strain.strain["H2O(0)"], strain.strain["H2O(3)"]
    assert donor.iloc[0] > 0.002 > 10 * acceptor.iloc[0]
    inside = table.inside(0)
    rows = inside.to_frame().iloc[-1].drop("sum")
    assert rows.abs().idxmax() == "bond O0–H1" and rows["bond O0–H1"] < -0.001
    expected = strain.strain["H2O(0)"] - strain.strain["H2O(0)"].iloc[0]
    assert inside.dataset.total.values == pytest.approx(expected.to_numpy(), abs=1e-6)
    with pytest.raises(im.PathError, match="no fragment 2"):
        table.inside(2)
    with pytest.raises(im.PathError, match='"relaxed" or "first"'):
        table.strain("mean")


def test_fragments_of_ones_own_have_strain_too():
    path = dimer_apart()[:4]
    table = im.explain_path(
        im.load("water"), path, fragments=[[0, 1, 2], [3, 4, 5]], progress=False
    )
    whole = im.explain_path(im.load("water"), path, progress=False)
    ours, theirs = table.strain("first"), whole.strain("first")
    assert ours.strain.to_numpy() == pytest.approx(theirs.strain.to_numpy(), abs=1e-9)
    assert ours.total[0] == 0 and ours.residual < CLOSED


def test_a_calculator_is_not_asked_again_for_the_path_that_it_made():
    calculator = as_calculator("gfn2-xtb")
    asked = []
    evaluate = calculator.calculate

    def counted(*arguments, **keywords):
        asked.append(1)
        return evaluate(*arguments, **keywords)

    path = butane_turned()[:5]
    anew = im.explain_path(calculator, list(path), coordinate=path.coordinate, progress=False)
    calculator.calculate = counted
    table = im.explain_path(calculator, path, progress=False)
    assert len(asked) == 2  # the ends, to see that it is the same one
    assert table.to_frame().to_numpy() == pytest.approx(anew.to_frame().to_numpy(), abs=1e-6)
    # what a path does not hold is asked for
    asked.clear()
    groups = im.explain_path(calculator, path, gauge="groups", progress=False)
    assert len(asked) > 20 and groups.residual < CLOSED
    # another calculator answers for itself
    other = as_calculator("gfn2-xtb", charge=1)
    cation = im.explain_path(other, path, progress=False)
    assert np.abs(cation.dataset.predicted - table.dataset.predicted).max() > 1e-3


def test_frames_that_make_no_path():
    potential, water = im.load("water"), molecule("H2O")
    with pytest.raises(im.PathError, match="two frames or more"):
        im.explain_path(potential, water, progress=False)
    frames = [water, water.copy()]
    with pytest.raises(im.PathError, match="one number for each of the 2 frames"):
        im.explain_path(potential, frames, coordinate=[1.0], progress=False)
    with pytest.raises(im.PathError, match="ascends or"):
        im.explain_path(potential, frames, coordinate=[1.0, 1.0], progress=False)


def test_pictures_and_words_tell_the_numbers():
    table = im.explain_path(im.load("malonaldehyde"), proton_path(), progress=False)
    assert table.plot(most=2).get_xlabel() == "reaction coordinate (Å √u)"
    names = [text.get_text() for text in table.plot(most=2).get_legend().get_texts()]
    assert names[0].startswith("shared proton") and names[2].endswith("others")
    slopes = table.reg()
    figure = slopes.plot(most=3)
    assert len(figure.axes) == 2 and len(figure.axes[0].patches) == 4
    assert [bar.get_width() for bar in figure.axes[0].patches][:1] == pytest.approx(
        [slopes.slopes.loc[figure.axes[0].get_yticklabels()[0].get_text()].iloc[0]]
    )
    force = table.reaction_force()
    words = [text.get_text() for text in force.plot().texts]
    assert words[0] == f"W1 +{force.works['W1']:.3f}"
    strain = im.explain_path(im.load("water"), dimer_apart(), progress=False).strain()
    assert strain.plot().get_ylabel() == "energy above fragments apart (eV)"
    for shown in (table, slopes, force, strain):
        assert "<table" in shown._repr_html_() and len(repr(shown)) > 100
