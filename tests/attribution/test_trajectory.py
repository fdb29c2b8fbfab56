"""Explanations of trajectories are those of their frames, row by row."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from ase import Atoms

import interpmd as im
from interpmd.attribution.models import PotentialModel
from interpmd.attribution.over_time.frames import ROWS, collect
from interpmd.decomposition.assemble import decompose
from interpmd.demo import MALONALDEHYDE
from interpmd.errors import GroupingError, TrajectoryError
from interpmd.potentials import LennardJones, Potential

ARGON = Potential({"lj": LennardJones(epsilon=0.01, sigma=3.4, cutoff=6.0, onset=5.0)})


@pytest.fixture(scope="module")
def run():
    potential = im.load("malonaldehyde")
    trajectory = im.simulate(
        potential, MALONALDEHYDE, temperature=300, steps=30, interval=10, progress=False
    )
    return potential, trajectory


def explained(potential, trajectory, *target, **options):
    return im.explain_trajectory(
        potential, trajectory, *target, progress=False, **options, gauge="atoms"
    )


@pytest.mark.parametrize("target", [im.Energy(), im.Force(8, along=0), im.Force(8)])
def test_every_row_is_that_of_the_frame(run, target):
    potential, trajectory = run
    found = explained(potential, trajectory, target)
    vector = target == im.Force(8)
    assert found.value.dims == ("frame", "interaction") + ("component",) * vector
    assert np.array_equal(found.time_fs, trajectory.times)
    for frame in (0, 3):
        single = im.explain(potential, trajectory[frame], target, gauge="atoms")
        assert np.allclose(found.total[frame], single.total, atol=1e-9)
        assert np.allclose(found.value[frame].sum("interaction"), single.predicted, atol=1e-8)
        one = found.value[frame].where((found.atoms == "0-8") & (found.order == 2), drop=True)
        assert np.allclose(one.sum("interaction"), single.only(order=2)[(0, 8)], atol=1e-12)
        assert np.abs(one).max() > 1e-2
    assert float(found.residual.max()) < 1e-8
    assert found.attrs["largest_residual"] == float(found.residual.max())
    assert found.value.attrs["units"] == target.unit


@pytest.mark.parametrize("by", ROWS)
def test_sums_by_group_are_those_of_the_explanations(run, by):
    potential, trajectory = run
    target = im.Force(8, along=0)
    found = explained(potential, trajectory, target, by=by)
    last = im.explain(potential, trajectory[3], target, gauge="atoms")
    assert np.allclose(found.value.sum("interaction"), found.predicted, atol=1e-8)
    if by != "interaction":
        wanted = last.by(by).to_numpy()
        mine = found.value[3].values
        wanted = wanted[np.abs(wanted) > 1e-12]
        assert np.allclose(np.sort(mine[np.abs(mine) > 1e-12]), np.sort(wanted), atol=1e-10)
    mean = np.abs(found.value).mean("frame").values
    assert (np.diff(mean) <= 1e-15).all()
    assert len(set(found.interaction.values)) == found.sizes["interaction"]


def test_names_of_rows(run):
    found = explained(*run, im.Force(8, along=0), by="order")
    assert set(found.label.values) == {"1-body", "2-body", "3-body", "remainder"}
    assert dict(zip(found.label.values, found.order.values, strict=True))["2-body"] == 2
    single = explained(*run, im.Force(8, along=0))
    row = single.sel(interaction="O4–H8···O0 hydrogen bond")
    assert row.kind == "hydrogen bond" and row.term == "triplet" and row.atoms == "0-4-8"
    pairs = explained(*run, im.Force(8, along=0), by="pair")
    assert pairs.sel(interaction="O0···H8").atoms == "0-8"


def test_stds_of_energies(run):
    potential, trajectory = run
    found = explained(potential, trajectory)
    table = decompose(potential, trajectory[0], order=3)
    assert float(found["std"][0].max()) == pytest.approx(table.energy_stds.max(), rel=1e-9)
    assert "std" not in explained(potential, trajectory, im.Force(8))


def test_pairs_that_part_count_as_zero():
    def at(distance):
        return Atoms("Ar2", positions=[[0, 0, 0], [distance, 0, 0]])

    found = explained(ARGON, [at(3.8), at(7.0), at(4.0)])
    assert found.time_fs.values.tolist() == [0, 1, 2]
    value = found.value[:, 0].values
    assert value[0] == pytest.approx(0.04 * ((3.4 / 3.8) ** 12 - (3.4 / 3.8) ** 6), abs=1e-12)
    assert value[1] == 0.0 and value[2] < 0


def test_remainders_are_one_row_a_site_though_neighbours_change():
    # from inside the cutoff to outside, so that the remainder of an atom acts on fewer atoms
    potential = im.load("water")
    water = Atoms("OHH", positions=[[0, 0, 0], [0.76, 0.59, 0], [-0.76, 0.59, 0]])
    frames = [water + (other := water.copy()) for _ in range(2)]
    for atoms, away in zip(frames, (3.0, 12.0), strict=True):
        atoms.positions[3:] += [0, 0, away]
    assert len(other) == 3
    found = explained(potential, frames, order=2)
    assert int((found.kind == "remainder").sum()) == 6


def test_fragments_of_the_first_frame_are_kept():
    together = Atoms("Si2", positions=[[0, 0, 0], [2.4, 0, 0]])
    apart = Atoms("Si2", positions=[[0, 0, 0], [4.0, 0, 0]])
    found = explained(ARGON, [together, apart], by="fragment")
    assert found.interaction.values.tolist() == ["within Si2(0)"]
    assert abs(float(found.value[1, 0])) > 1e-3


def test_a_file_keeps_it(run, tmp_path):
    found = explained(*run, im.Force(8), by="kind")
    found.to_netcdf(tmp_path / "explained.nc")
    read = xr.load_dataset(tmp_path / "explained.nc")
    assert read.identical(found)
    assert "convention" in read.attrs["statement"] and "wb97x" in read.attrs["provenance"]


def test_an_interrupt_keeps_what_is_done(run):
    potential, trajectory = run

    def collected(at):
        class Interrupted(PotentialModel):
            def evaluate(self, frames):
                if any(np.array_equal(a.positions, trajectory[at].positions) for a in frames):
                    raise KeyboardInterrupt
                return super().evaluate(frames)

        model = Interrupted(potential)
        return collect(model, list(trajectory), lambda _: im.Energy(), progress=False)

    with pytest.warns(UserWarning, match="2 of 4 frames"):
        found = collected(at=2)
    assert found.dataset(trajectory.times[:2]).sizes["frame"] == 2
    with pytest.raises(KeyboardInterrupt):
        collected(at=0)


@pytest.mark.parametrize(
    ("frames", "options", "error", "words"),
    [
        ([], {}, TrajectoryError, "no frames"),
        ([Atoms("Ar"), Atoms("Ne")], {}, TrajectoryError, "frame 1 is Ne"),
        ([Atoms("Ar")], {"times": [1.0, 2.0]}, TrajectoryError, "2 times for 1 frames"),
        ([Atoms("Ar")], {"by": "colour"}, GroupingError, "cannot sum by 'colour'"),
    ],
)
def test_what_is_wrong_is_said(frames, options, error, words):
    with pytest.raises(error, match=words):
        explained(ARGON, frames, **options)
