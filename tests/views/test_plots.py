"""What is drawn are the numbers that were given; each picture fits into given axes."""

from __future__ import annotations

import ast
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

import interpmd as im
from interpmd import plots
from interpmd.decomposition.assemble import decompose
from interpmd.demo import MALONALDEHYDE
from interpmd.errors import GroupingError
from interpmd.fitting.report import Evaluation
from interpmd.plots.budgets import corrected
from interpmd.plots.maps import energy_map
from interpmd.plots.paths import energy_profile
from interpmd.plots.style import AGAINST, ALONG, NO_DATA
from interpmd.trust.truth.agreement import QuantumTruth
from interpmd.units import number_sign

VALUES = {"O–H stretch": 1.5, "angle": -0.75, "torsion": 0.25, "far": -0.125}


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def run():
    potential = im.load("malonaldehyde")
    trajectory = im.simulate(
        potential, MALONALDEHYDE, temperature=300, steps=8, interval=1, progress=False
    )
    return potential, trajectory


def line(ax, label):
    return next(found for found in ax.get_lines() if found.get_label() == label)


def test_a_waterfall_ends_where_the_sum_does():
    ax = plots.budget(VALUES, most=3)
    drawn = [(bar.get_x(), bar.get_width()) for bar in ax.patches]
    assert drawn == [(0, 1.5), (1.5, -0.75), (0.75, 0.25), (1.0, -0.125), (0, 0.875)]
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names[0] == "O–H stretch  +1.500" and names[3].endswith("  −0.125")
    assert "other" not in " ".join(names)  # a single one goes by its name
    assert names[-1] == "sum  +0.875" and ax.get_xlabel() == "eV/Å"


def test_bars_start_at_zero_and_tell_signs_without_colour():
    ax = plots.bars(VALUES, spread={"angle": 0.1}, most=8, unit="eV")
    bars = ax.patches
    assert [bar.get_width() for bar in bars] == [1.5, -0.75, 0.25, -0.125, 0.875]
    assert {bar.get_x() for bar in bars} == {0}
    assert [bar.get_hatch() or "" for bar in bars[:2]] == [ALONG[1], AGAINST[1]] == ["", "//"]
    assert [to_hex(bar.get_facecolor()).upper() for bar in bars[:2]] == [ALONG[0], AGAINST[0]]
    assert ax.get_xlabel() == "eV (whiskers: ± 1 std)"


def test_whiskers_are_explained_only_where_there_are_some():
    assert plots.bars(VALUES, spread={"angle": 0.0}).get_xlabel() == "eV/Å"
    assert plots.budget(VALUES, {"far": 0.1}, most=2).get_xlabel() == "eV/Å"  # among the others
    assert plots.budget(VALUES, {"far": 0.1}).get_xlabel() == "eV/Å (whiskers: ± 1 std)"


def test_others_are_those_that_do_something():
    ax = plots.budget(VALUES | {"nothing": 0.0, "neither": 0.0}, most=2)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names[2] == "2 others  +0.125"
    nearly = plots.budget(VALUES | {"hardly": 2e-4, "barely": -3e-4})
    names = [label.get_text() for label in nearly.get_yticklabels()]
    assert names[-2].startswith("2 others") and len(names) == len(VALUES) + 2
    unsure = plots.budget(VALUES | {"unsure": 2e-4}, {"unsure": 0.3})
    assert any("unsure" in label.get_text() for label in unsure.get_yticklabels())
    none = plots.budget({"a": 0.0, "b": 1e-17})
    assert len(none.patches) == 3 and none.get_xlim() == (-1, 1)
    all_drawn = plots.budget(VALUES | {"nothing": 0.0}, most=4)
    assert not any("others" in label.get_text() for label in all_drawn.get_yticklabels())


def test_shares_of_two_sources_stand_side_by_side():
    table = pd.DataFrame(
        {"gfn2-xtb": [88.0, 11.0, 1.0], "model": [87.0, 12.5, 0.5]}, index=[2, 3, 0]
    )
    ax = plots.shares(table)
    heights = [bar.get_height() for bar in ax.patches]
    assert heights == [88.0, 11.0, 1.0, 87.0, 12.5, 0.5]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["2-body", "3-body", "higher"]
    left, right = ax.patches[0], ax.patches[3]
    assert left.get_x() + left.get_width() <= right.get_x() + 1e-9
    assert not left.get_hatch() and right.get_hatch() == "//"
    assert "%" in ax.get_ylabel()


def test_a_heat_map_says_every_number_and_sums_to_the_force(run):
    potential, trajectory = run
    found = im.explain(potential, trajectory[0], im.Force(8, along=0), gauge="atoms")
    matrix = found.pair_matrix()
    assert np.nansum(matrix) == pytest.approx(found.total, abs=1e-10)
    pairs = found.by("pair")
    assert matrix.loc["H8", "O4"] == pytest.approx(pairs[(4, 8)], abs=1e-12)
    assert abs(matrix.loc["H8", "O4"]) > 0.1 and np.isnan(matrix.loc["O4", "H8"])
    ax = found.plot(kind="heat_map")
    image = ax.get_images()[0]
    assert np.allclose(image.get_array().filled(np.nan), matrix, equal_nan=True)
    assert -image.norm.vmin == image.norm.vmax == np.nanmax(np.abs(matrix))
    written = {text.get_position(): text.get_text() for text in ax.texts}
    assert written[(4, 8)] == number_sign(matrix.loc["H8", "O4"], "+.2f")
    hatched = {(round(p.get_x() + 0.5), round(p.get_y() + 0.5)) for p in ax.patches}
    assert all(matrix.iloc[row, column] < 0 for column, row in hatched) and hatched


@pytest.mark.parametrize(("count", "named"), [(12, 12), (22, 22), (60, 20)])
def test_names_beside_a_heat_map_do_not_touch(count, named):
    names = [f"H{i}" for i in range(count)]
    lower = np.where(np.tri(count, dtype=bool), 1.0, np.nan)
    ax = plt.figure(figsize=(5, 3.2), layout="constrained").add_subplot()
    ax = plots.heat_map(pd.DataFrame(lower, names, names), ax=ax)
    ax.figure.canvas.draw()
    for labels in (ax.get_yticklabels(), ax.get_xticklabels()):
        assert len(labels) == named
        assert [label.get_text() for label in labels] == names[:: count // named]
    boxes = [label.get_window_extent() for label in ax.get_yticklabels()]
    assert all(below.y1 < above.y0 for above, below in zip(boxes, boxes[1:], strict=False))


def test_pair_matrices_of_fragments_and_vectors(run):
    potential, trajectory = run
    halves = [[0, 1, 5], [2, 3, 4, 6, 7, 8]]
    found = im.explain(potential, trajectory[0], im.Force(8), fragments=halves)
    matrix = found.pair_matrix()
    assert matrix.shape == (2, 2)
    assert np.nansum(matrix) == pytest.approx(np.linalg.norm(found.predicted), abs=1e-8)


@pytest.mark.parametrize("kind", ["waterfall", "bars"])
def test_explanations_draw_their_own_values(run, kind):
    potential, trajectory = run
    found = im.explain(potential, trajectory[0], im.Force(8, along=0), gauge="atoms")
    ax = plt.figure().add_subplot()
    assert found.plot(by="kind", kind=kind, ax=ax, most=20) is ax
    widths = [bar.get_width() for bar in ax.patches]
    wanted = sorted((v for v in found.by("kind") if v), key=abs)
    assert np.allclose(sorted(widths[:-1], key=abs), wanted, atol=1e-12)
    assert widths[-1] == pytest.approx(found.total)


def test_shares_of_an_explanation_leave_single_atoms_out(run):
    potential, trajectory = run
    found = im.explain(potential, trajectory[0], gauge="atoms")
    ax = found.plot(kind="shares")
    sums = found.by("order").drop(1)
    heights = [bar.get_height() for bar in ax.patches]
    assert heights == pytest.approx([100 * sums[o] / sums.sum() for o in (2, 3, 0)])
    with pytest.raises(GroupingError, match="no plot is called 'pie'"):
        found.plot(kind="pie")


def test_lines_of_explained_trajectories(run):
    dataset = im.explain_trajectory(
        *run, im.Force(8, along=0), by="kind", progress=False, gauge="atoms"
    )
    ax = plots.explained_lines(dataset, most=2)
    first = dataset.interaction.values[0]
    assert np.allclose(line(ax, first).get_ydata(), dataset.value.sel(interaction=first))
    assert np.allclose(line(ax, first).get_xdata(), dataset.time_fs)
    assert np.allclose(line(ax, "sum").get_ydata(), dataset.predicted)
    others = next(n.get_label() for n in ax.get_lines() if "others" in n.get_label())
    rest = dataset.value[:, 2:].sum("interaction")
    assert np.allclose(line(ax, others).get_ydata(), rest)
    acting = int((np.abs(dataset.value[:, 2:]).max("frame") > 0).sum())
    none = dataset.value.where(np.arange(dataset.sizes["interaction"]) != acting + 1, 0.0)
    ax = plots.explained_lines(dataset.assign(value=none), most=2)  # the weakest does nothing
    assert f"{acting - 1} others" in [found.get_label() for found in ax.get_lines()]
    assert ax.get_xlabel() == "time (fs)" and ax.get_ylabel() == "force on H8 towards O0 (eV/Å)"
    vectors = im.explain_trajectory(*run, im.Force(8), by="order", progress=False, gauge="atoms")
    with pytest.raises(ValueError, match="isel"):
        plots.explained_lines(vectors)


def test_a_work_ledger_shows_that_it_closes(run):
    dataset = im.ledger(*run, atoms=[8], by="kind", progress=False, gauge="atoms")
    ax = plots.work_ledger(dataset, most=3)
    gained = dataset.kinetic_energy - dataset.kinetic_energy[0]
    assert np.allclose(line(ax, "kinetic energy gained").get_ydata(), gained)
    assert np.allclose(line(ax, "sum").get_ydata(), gained, atol=1e-12)
    lines = [found for found in ax.get_lines() if found.get_label() in dataset.interaction.values]
    assert len(lines) == 3
    for found in lines:
        work = dataset.work.sel(interaction=found.get_label())
        assert np.allclose(found.get_ydata(), work)
    assert ax.get_ylabel() == "work on H8 (eV)"


def test_parity_of_an_evaluation():
    rng = np.random.default_rng(0)
    energy, forces = rng.normal(size=(5, 2)), rng.normal(size=(15, 3, 2))
    made = Evaluation(energy, forces, np.full(5, 3), np.ones(15, int), ("a",) * 5)
    left, right = made.plot()
    points = right.get_lines()[-1]
    assert np.allclose(points.get_xdata(), forces[..., 0].ravel())
    assert np.allclose(points.get_ydata(), forces[..., 1].ravel())
    assert left.get_xlabel() == "reference, energy − median (eV)"
    assert f"{made.summary()['force_rmse_meV/A']:.0f} meV/Å" in right.get_title()


def test_a_learning_curve_says_its_errors():
    table = pd.DataFrame({"force_rmse_meV/A": [80.0, 20.0]}, index=[100, 400])
    ax = plots.learning_curve(table)
    assert ax.get_lines()[0].get_ydata().tolist() == [80.0, 20.0]
    assert ax.get_lines()[0].get_xdata().tolist() == [100, 400]
    assert ax.get_xscale() == ax.get_yscale() == "log"
    assert "force RMSE of the test set (meV/Å)" in ax.get_ylabel()


def test_many_body_terms_beside_the_quantum_ones():
    lines = [
        (0, 3, (0, 1), 2, -4.0, -3.9),
        (0, 3, (0, 2), 2, -5.0, -5.2),
        (0, 3, (0, 1, 2), 3, -1.0, -0.9),
    ]
    columns = ["frame", "molecules", "fragments", "order", "quantum", "potential"]
    table = pd.DataFrame(lines, columns=columns).assign(quantum_force=0.0, force_error=0.0)
    left, right = QuantumTruth("gfn2-xtb", 3, table).plot()
    pairs = left.get_lines()[1]
    assert pairs.get_xdata().tolist() == [-4.0, -5.0]
    assert pairs.get_ydata().tolist() == [-3.9, -5.2]
    assert pairs.get_label() == f"2-body {np.sqrt((0.01 + 0.04) / 2):.3f}"
    (inset,) = left.child_axes
    assert inset.get_lines()[1].get_ydata().tolist() == [-0.9]
    heights = [bar.get_height() for bar in right.patches]
    assert heights == pytest.approx([90.0, 10.0, 91.0, 9.0])


def test_a_table_and_a_trajectory_draw_themselves(run):
    potential, trajectory = run
    table = decompose(potential, trajectory[0], order=3)
    axes = table.plot()
    orders = table.by("order").drop(1)
    assert [bar.get_width() for bar in axes[2].patches] == pytest.approx(list(orders.energy_eV))
    assert axes[2].get_xlabel() == "energy (eV; whiskers: ± 1 std)"
    ax = trajectory.plot()
    shift = trajectory.potential_energies[0]
    assert np.allclose(line(ax, "total").get_ydata(), trajectory.total_energies - shift)


def test_a_simulation_shows_energy_and_temperature_against_time():
    times, energies = np.arange(3.0), np.array([-2.0, -1.5, -1.75])
    ax = plots.energy_and_temperature(times, energies, np.array([300.0, 280.0, 310.0]), 300.0)
    assert ax.get_lines()[0].get_ydata().tolist() == [0.0, 0.5, 0.25]
    other = next(twin for twin in ax.figure.axes if twin is not ax)
    assert other.get_lines()[0].get_ydata().tolist() == [300.0, 280.0, 310.0]
    assert set(other.get_lines()[1].get_ydata()) == {300.0}


def test_a_scan_shows_where_the_structure_stands_and_what_is_known():
    x, energy, std = np.linspace(1.0, 2.0, 5), np.array([1.0, 0.2, 0.0, 0.3, 9.0]), np.full(5, 0.1)
    ax = plots.energy_scan(x, energy, std, (1.25, 0.2), "distance (Å)")
    assert np.allclose(line(ax, "potential").get_ydata(), energy)
    assert line(ax, "now").get_xydata().tolist() == [[1.25, 0.2]]
    (band,) = (found for found in ax.collections if found.get_label() == "± 2 std")
    assert set(np.round(band.get_paths()[0].vertices[:, 1], 9)) >= {-0.2, 0.2, 0.8, 1.2}
    assert ax.get_ylim()[1] < 8  # the wall is cut off


def test_frames_are_counted_and_times_measured():
    ax = plots.time_lines(np.arange(2), {"a": np.ones(2)})
    assert ax.get_xlabel() == "frame" and all(place % 1 == 0 for place in ax.get_xticks())
    assert plots.time_lines(np.arange(2.0), {"a": np.ones(2)}).get_xlabel() == "time (fs)"


def test_units_and_signs_are_those_of_print():
    ax = plots.bars({"a": -1.0}, unit="meV/A")
    assert ax.get_xlabel() == "meV/Å" and ax.get_yticklabels()[0].get_text() == "a  −1.000"
    table = pd.DataFrame([[-1.0]], ["H0"], ["H0"])
    ax = plots.heat_map(table, unit="eV/A")
    assert ax.texts[0].get_text() == "−1.00" and ax.figure.axes[1].get_ylabel() == "eV/Å"
    ax = plots.heat_map(100 * table, unit="meV")
    assert ax.texts[0].get_text() == "−100"
    shares = plots.shares(pd.DataFrame({"a": [110.0, -10.0]}, index=[2, 3]))
    assert [text.get_text() for text in shares.texts] == ["110.0", "−10.0"]


def test_only_plots_draw():
    """Elsewhere matplotlib is named in annotations alone, and no picture knows a result."""
    root = Path(plots.__file__).parents[1]
    drawing, known = set(), set()
    for path in root.rglob("*.py"):
        room = path.relative_to(root).parts[0]
        for module in run_time_imports(ast.parse(path.read_text())):
            if module.split(".")[0] == "matplotlib":
                drawing.add(room)
            if room == "plots" and module.split(".")[0] == "interpmd":
                known.add(module.split(".")[1])
    assert drawing == {"plots", "demo"}
    assert known == {"plots", "errors", "structures", "units"}


def run_time_imports(tree):
    """Modules imported anywhere but under ``if TYPE_CHECKING``."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)
        yield from run_time_imports(node)


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax: plots.budget(VALUES, ax=ax),
        lambda ax: plots.bars(VALUES, ax=ax),
        lambda ax: plots.shares(pd.DataFrame({"a": [60.0, 40.0]}, index=[2, 3]), ax=ax),
        lambda ax: plots.heat_map(pd.DataFrame([[1.0, np.nan], [2.0, -1.0]]), ax=ax),
        lambda ax: plots.time_lines(np.arange(3.0), {"a": np.ones(3)}, ax=ax),
        lambda ax: plots.parity({"a": (np.ones(2), np.ones(2))}, "force (eV/Å)", ax=ax),
        lambda ax: plots.learning_curve(
            pd.DataFrame({"energy_mae_meV": [2.0, 1.0]}, index=[1, 2]), "energy_mae_meV", ax=ax
        ),
        lambda ax: plots.held_out_errors([1, 2], {"force (meV/Å)": [2.0, 1.0]}, ax=ax),
        lambda ax: plots.pair_energy(np.arange(1.0, 4), {"a": np.ones(3)}, np.ones(3), ax=ax),
        lambda ax: plots.energy_map(np.arange(2.0), np.arange(2.0), np.eye(2), ax=ax),
        lambda ax: plots.draw_molecule(MALONALDEHYDE, ax=ax),
    ],
)
def test_pictures_take_and_return_axes(draw):
    ax = plt.figure().add_subplot()
    assert draw(ax) is ax
    assert len(plt.get_fignums()) == 1


@pytest.mark.parametrize(
    "errors",
    [(1700.0, 1300.0, 950.0), (340.0, 260.0, 195.0), (238.0, 75.0, 59.0), (800.0, 9.0, 1.5)],
)
def test_a_race_of_labels_has_errors_to_read_off(errors):
    table = pd.DataFrame({"labels": [10, 20, 40], "how": "random", "error": errors})
    ax = plots.label_race(table, "error")
    ax.figure.canvas.draw()
    low, high = ax.get_ylim()
    read = [float(t.get_text()) for t in ax.get_yticklabels() if t.get_text()]
    assert len([value for value in read if low <= value <= high]) >= 3


def test_a_legend_of_corrections_lies_on_no_bar():
    row = {"baseline": [1.7], "sum": [1.8], "correction": [0.1], "std": [0.01]}
    first, _ = corrected(pd.DataFrame(row, index=["bond C0–H8"]), "gfn1-xtb", "gfn2-xtb")
    first.figure.canvas.draw()
    legend = first.get_legend().get_window_extent()
    assert not any(legend.overlaps(bar.get_window_extent()) for bar in first.patches)


@pytest.mark.parametrize("top", [0, 4])
def test_the_name_of_the_highest_structure_stays_inside(top):
    energies = np.zeros(5)
    energies[top] = 0.3
    ax = energy_profile(np.linspace(0, 1, 5), energies)
    ax.figure.canvas.draw()
    (words,) = ax.texts
    inside, frame = words.get_window_extent(), ax.get_window_extent()
    assert frame.x0 <= inside.x0 and inside.x1 <= frame.x1


def test_a_map_tells_zero_from_what_nobody_visited():
    energy = np.array([[0.0, 0.1, 0.2], [0.3, np.nan, 0.1], [0.2, 0.1, 0.3]])
    ax = energy_map(np.arange(3.0), np.arange(3.0), energy)
    assert ax.patch.get_hatch() and to_hex(ax.patch.get_facecolor()) == NO_DATA.lower()
    whole = energy_map(np.arange(3.0), np.arange(3.0), np.nan_to_num(energy))
    assert not whole.patch.get_hatch()


def test_what_is_printed_of_long_results_is_short(run):
    _, trajectory = run
    assert len(trajectory) == 9 and len(repr([trajectory])) < 200
    curve = im.pair_curve(im.load("water"), "O", "H")
    assert len(repr(curve)) < 200 and "in the data from" in repr(curve)
