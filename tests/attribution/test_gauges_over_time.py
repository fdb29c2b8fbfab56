"""Changes in every gauge: references, names that stay, drivers, slopes, and work."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from ase import units

pytest.importorskip("rdkit", reason="groups need RDKit")
pytest.importorskip("tblite", reason="one of the models is GFN2-xTB")

from structures_of_tests import ethanol, water_hexamer

import interpmd as im
from interpmd.attribution.gauges.internal import works
from interpmd.attribution.models import PotentialModel
from interpmd.attribution.over_time.drivers import covariance_shares
from interpmd.demo import MALONALDEHYDE
from interpmd.errors import LedgerError, LedgerWarning, TrajectoryError
from interpmd.reference.calculator import as_calculator
from interpmd.structures.chemistry import bonds, hydrogen_bonds
from interpmd.structures.coordinates import internal_coordinates

SHIPPED = im.load("malonaldehyde")


@pytest.fixture(scope="module")
def run():
    return im.simulate(
        SHIPPED, MALONALDEHYDE, temperature=300, steps=24, interval=1, seed=0, progress=False
    )


def explained(frames, target, **options):
    return im.explain_trajectory(SHIPPED, frames, target, progress=False, **options)


# --- references


@pytest.mark.parametrize("gauge", ["internal", "groups", "atoms"])
def test_a_structure_or_the_minimum_as_reference(run, gauge):
    target, atoms = im.Force(8, along=4), run[20]
    change = im.explain(SHIPPED, atoms, target, gauge=gauge, reference=run[0])
    forces = SHIPPED.predict([atoms, run[0]]).forces.numpy().reshape(2, -1, 3)
    direct = [f[8] @ target.direction(a) for f, a in zip(forces, (atoms, run[0]), strict=True)]
    assert change.total == pytest.approx(direct[0] - direct[1], abs=1e-10)
    assert change.residual < 1e-8 and change.gauge == gauge
    if gauge == "internal":
        calm = im.explain(SHIPPED, atoms, target, gauge=gauge, reference="relaxed")
        assert calm.total == pytest.approx(direct[0], abs=0.02)  # no force is left at the minimum
        with pytest.raises(im.StructureError, match="not the atoms of"):
            im.explain(SHIPPED, atoms, target, reference=ethanol())
        with pytest.raises(im.MethodError, match='or "relaxed"'):
            im.explain(SHIPPED, atoms, target, reference="mean")


@pytest.mark.parametrize("gauge", ["internal", "groups"])
def test_references_along_a_trajectory(run, gauge):
    target, frames = im.Force(8, along=4), run[::6]
    plain = explained(frames, target, gauge=gauge)
    assert plain.attrs["gauge"] == gauge
    for reference, subtracted in (
        ("mean", plain.mean("frame")),
        (2, plain.isel(frame=2)),
        (-1, plain.isel(frame=-1)),
        (frames[1], plain.isel(frame=1)),
    ):
        change = explained(frames, target, gauge=gauge, reference=reference)
        wanted = (plain.value - subtracted.value).sel(interaction=change.interaction)
        assert np.allclose(change.value, wanted, atol=1e-10)
        assert np.allclose(change.value.sum("interaction"), change.predicted, atol=1e-8)
        assert change.sizes["frame"] == len(frames) and "reference" in change.attrs
    with pytest.raises(TrajectoryError, match="no frame 9"):
        explained(frames, target, gauge=gauge, reference=9)


# --- names


@pytest.mark.parametrize("gauge", ["atoms", "internal"])
def test_names_do_not_jump_while_a_proton_is_transferred(gauge):
    """Frames 0.02 Å apart: sums by kind move as far as the force, in single frames they jump."""
    frames = []
    for share in np.linspace(0.06, 0.34, 15):
        atoms = MALONALDEHYDE.copy()
        atoms.positions[8] += share * (atoms.positions[0] - atoms.positions[8])
        frames.append(atoms)
    target = im.Force(8, along=4)
    assert frames[0].get_distance(4, 8) < 1.1 and frames[-1].get_distance(0, 8) < 1.14
    together = explained(frames, target, by="kind", gauge=gauge)
    largest = np.abs(together.value.diff("frame")).max()
    each = [im.explain(SHIPPED, a, target, gauge=gauge).by("kind").to_dict() for a in frames]
    alone = pd.DataFrame(each).fillna(0.0).diff().abs().max().max()
    assert "shared proton" in together.kind.values
    assert float(np.abs(together.total.diff("frame")).max()) < 0.8
    assert float(largest) < (2.2 if gauge == "atoms" else 0.8)
    assert float(np.abs(together.value.diff("frame", 2)).max()) < 0.5
    assert alone > 2 * float(largest)


# --- drivers


def dataset(values, deviations=None):
    """Rows of a number at one frame each femtosecond, as `explain_trajectory` gives them."""
    frames, rows = values.shape
    variables = {"value": (("frame", "interaction"), values)}
    if deviations is not None:
        variables["deviation"] = (("frame", "interaction", "sample"), deviations)
    coordinates = {
        "interaction": [f"row {k}" for k in range(rows)],
        "time_fs": ("frame", np.arange(frames, dtype=float)),
    }
    return xr.Dataset(variables, coordinates, {"target": "force", "gauge": "internal"})


def test_shares_are_those_that_were_put_in():
    """x and y swing independently: F = 3x + y - 2 x/2 + 5; var(F) = 4 var(x) + var(y)."""
    t = np.arange(4000) * 2 * np.pi / 4000
    x, y = np.sin(3 * t), np.sin(7 * t)
    values = np.stack([3 * x, y, -x, np.full_like(x, 5.0)], axis=1)
    found = dataset(values).drivers()
    known = {"row 0": 6 / 5, "row 1": 1 / 5, "row 2": -2 / 5, "row 3": 0.0}
    for name, share in known.items():
        assert found.shares[name] == pytest.approx(share, abs=1e-9)
    assert found.shares.sum() == pytest.approx(1.0, abs=1e-12)
    assert found.shares.index[0] == "row 0"
    assert found.headline.startswith("the changing force comes first from row 0 (120 % of the")
    assert "A share below zero (row 2, −40 %) changes against the force" in found._repr_html_()
    assert found.posterior_std.isna().all()
    early = dataset(values).drivers(0, 99)
    assert early.frames == 100 and early.shares.sum() == pytest.approx(1.0)
    assert abs(early.shares["row 0"] - 6 / 5) > 0.05
    widths = [bar.get_width() for bar in found.plot().patches]
    assert sorted(widths)[-1] == pytest.approx(120)


def test_block_errors_are_the_scatter_of_repeated_runs():
    rng = np.random.default_rng(0)
    runs = [rng.normal(size=(400, 2)) * [1.0, 0.5] for _ in range(60)]
    found = [covariance_shares(dataset(values), blocks=8) for values in runs]
    scatter = np.std([each.shares["row 0"] for each in found])
    claimed = np.sqrt(np.mean([each.block_std["row 0"] ** 2 for each in found]))
    assert claimed == pytest.approx(scatter, rel=0.3)


def test_posterior_errors_are_those_of_the_draws():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(200, 3))
    strength = rng.normal(0, 0.1, (1, 3, 8))
    deviations = values[:, :, None] * strength  # of each row by one factor in all frames
    found = dataset(values, deviations).drivers()
    drawn = [dataset(values * (1 + strength[0, :, k])).drivers().shares for k in range(8)]
    for row, spread in found.posterior_std.items():
        by_hand = np.sqrt(np.mean([(d[row] - found.shares[row]) ** 2 for d in drawn]))
        assert spread == pytest.approx(by_hand, abs=1e-12) and spread > 0.01


def test_drivers_of_a_real_force(run):
    table = explained(run, im.Force(8, along=4), error_bars=True)
    found = table.drivers()
    assert found.gauge == "internal" and found.frames == 25
    assert found.shares.sum() == pytest.approx(1.0, abs=1e-10)
    total = table.total - table.total.mean()
    row = table.value.sel(interaction=found.shares.index[0])
    by_hand = float((row * total).mean() / (total**2).mean())
    assert found.shares.iloc[0] == pytest.approx(by_hand, abs=1e-9)
    assert 0 < found.posterior_std.iloc[0] < 0.2 and found.block_std.iloc[0] > 0
    vector = explained(run, im.Force(8)).drivers()
    assert vector.shares.sum() == pytest.approx(1.0, abs=1e-10)


def test_what_does_not_change_is_not_driven():
    with pytest.raises(TrajectoryError, match="does not change"):
        dataset(np.ones((10, 2))).drivers()
    with pytest.raises(TrajectoryError, match="three frames"):
        dataset(np.ones((2, 2))).drivers()


def test_slopes_of_each_segment_sum_to_one():
    """Up by row 0 alone, down by rows 0 and 1 as 1 to 3."""
    up, down = np.linspace(0, 1, 21), np.linspace(0, 1, 31)[1:]
    first = np.concatenate([up, 1 - down / 4])
    second = np.concatenate([np.zeros(21), -3 * down / 4])
    slopes = dataset(np.stack([first, second], axis=1)).reg().slopes
    assert slopes.columns.tolist() == ["0-20 fs", "20-50 fs"]
    assert slopes["0-20 fs"].tolist() == pytest.approx([1, 0], abs=1e-12)
    assert slopes["20-50 fs"].tolist() == pytest.approx([0.25, 0.75], abs=1e-12)
    assert np.allclose(slopes.sum(), 1.0, atol=1e-12)


def test_slopes_of_a_real_force(run):
    table = explained(run, im.Force(8, along=4))
    slopes = table.reg().slopes
    assert slopes.shape[1] >= 2 and np.allclose(slopes.sum(), 1.0, atol=1e-10)
    with pytest.raises(TrajectoryError, match="along="):
        explained(run[:4], im.Force(8)).reg()


# --- work


class Watched(PotentialModel):
    """A potential that counts the frames whose rows were made."""

    explained = 0

    def posterior(self, frames):
        type(self).explained += len(frames)
        return super().posterior(frames)

    def table(self, atoms, order=None, forces=True):
        type(self).explained += 1
        return super().table(atoms, order, forces)


@pytest.mark.parametrize("gauge", ["internal", "groups"])
@pytest.mark.parametrize("atoms", [None, [8]])
def test_the_ledger_closes_to_rounding_in_every_gauge(run, gauge, atoms):
    book = im.ledger(SHIPPED, run, atoms=atoms, gauge=gauge, progress=False)
    assert book.attrs["gauge"] == gauge and book.attrs["rule"] == "verlet"
    change = book.kinetic_energy - book.kinetic_energy[0]
    assert float(np.abs(change).max()) > 0.01
    assert float(np.abs(book.work.sum("interaction") - change).max()) < 1e-10
    assert book.attrs["largest_closure_error_eV"] < 1e-10
    own = [
        (a.get_forces() * a.get_velocities())[atoms or slice(None)].sum() * units.fs for a in run
    ]
    assert np.allclose(book.model_power, own, atol=1e-10)
    assert np.allclose(book.power.sum("interaction"), own, atol=1e-10)


def test_the_work_of_a_coordinate_is_the_integral_of_its_tension(run):
    book = im.ledger(SHIPPED, run, rule="simpson", progress=False)
    assert book.attrs["gauge"] == "internal"
    frames = list(run)
    coordinates = internal_coordinates(frames, bonds, hydrogen_bonds)
    done = works(coordinates, run.positions, np.stack([a.get_forces() for a in frames]))
    exchanged = float(np.abs(book.work).max("frame").sum())
    assert exchanged > 0.3
    for label, column in zip(coordinates.labels, done.T, strict=True):
        assert float(np.abs(book.work.sel(interaction=label) - column).max()) < 2e-3
    assert book.attrs["largest_closure_error_eV"] < 0.005 * exchanged  # at 0.5 fs
    lost = run.potential_energies[0] - run.potential_energies
    assert np.abs(done.sum(1) - lost).max() < 0.005 * exchanged


def test_frames_too_far_apart_are_told_before_the_rows_are_made(run):
    Watched.explained = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error", LedgerWarning)
        with pytest.raises(LedgerWarning, match="2 fs apart"):
            im.ledger(Watched(SHIPPED), run[::4], gauge="atoms", progress=False)
    assert Watched.explained == 0
    plain = [a.copy() for a in run[::4]]  # without the forces of the run
    with warnings.catch_warnings():
        warnings.simplefilter("error", LedgerWarning)
        with pytest.raises(LedgerWarning, match="2 fs apart"):
            im.ledger(Watched(SHIPPED), plain, times=run.times[::4], gauge="atoms", progress=False)
    assert Watched.explained == 0
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        book = im.ledger(SHIPPED, run[::4], progress=False)
    told = [w for w in given if issubclass(w.category, LedgerWarning)]
    assert len(told) == 1 and told[0].filename == __file__
    assert f"{book.attrs['largest_closure_error_eV']:.2g} eV" in str(told[0].message)


def test_along_a_path_works_sum_to_the_loss_of_potential_energy():
    frames = []
    for angle in np.linspace(0, 60, 25):
        atoms = ethanol()
        atoms.set_dihedral(3, 2, 1, 0, atoms.get_dihedral(3, 2, 1, 0) + angle, indices=[3])
        frames.append(atoms)
    calculator = as_calculator("gfn2-xtb")
    book = im.ledger(calculator, frames)
    assert book.attrs["gauge"] == "internal"
    lost = book.potential_energy[0] - book.potential_energy
    assert float(np.abs(lost).max()) > 0.02
    assert float(np.abs(book.total_work - lost).max()) < 1e-4
    turned = book.work.sel(interaction="torsion about C1–O2")
    assert float(np.abs(turned - lost).max()) < 0.3 * float(np.abs(lost).max())
    kinds = im.ledger(calculator, frames, by="kind")
    assert np.allclose(kinds.work.sum("interaction"), book.total_work)
    assert set(kinds.interaction.values) == set(book.kind.values)
    with pytest.warns(LedgerWarning, match="nearer to each other"):
        im.ledger(calculator, frames[::12], tolerance=1e-4)
    with pytest.raises(LedgerError, match="energies of their own"):
        im.ledger(as_calculator("gfn2-xtb"), [water_hexamer()] * 2)
