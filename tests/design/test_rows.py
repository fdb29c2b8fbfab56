"""The model of rows: exact where it is linear algebra, honest where it is statistics."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from spaces import exploration, known_space

from interpmd.attribution.methods.indices import dividends
from interpmd.design.descriptors import descriptors
from interpmd.design.rows import fit_rows
from interpmd.errors import ArgumentError, DesignError


def fitted(count: int, seed: int = 0, **more):
    space, every, values = known_space(seed, **more)
    chosen = np.random.default_rng(seed).permutation(len(every))[:count]
    described = [descriptors(groups) for groups in space.groups]
    return space, every, values, chosen, fit_rows(every[chosen], values[chosen], described)


def test_unseen_molecules_lie_within_their_error_bars():
    # 60 of 343 molecules, drawn from additive rows with small pairs
    z = []
    for seed in range(4):
        _, every, values, chosen, rows = fitted(60, seed)
        rest = np.setdiff1d(np.arange(len(every)), chosen)
        means, bars = rows.predict(every[rest])
        z.append((values[rest] - means) / bars)
        assert np.corrcoef(means, values[rest])[0, 1] > 0.85
    z = np.concatenate(z)
    assert 0.7 < z.std() < 1.3
    assert (abs(z) < 2).mean() > 0.9


def test_known_molecules_are_what_they_are():
    _, every, values, chosen, rows = fitted(80)
    means, bars = rows.predict(every[chosen])
    assert abs(means - values[chosen]).max() < 0.05 * values.std()
    assert bars.max() < 0.02 * values.std()


def test_draws_have_the_mean_and_the_spread_of_the_posterior():
    _, every, _, chosen, rows = fitted(50)
    rng = np.random.default_rng(1)
    drawn = np.array([rows.sample(every, rng) for _ in range(400)])
    means, bars = rows.predict(every)
    assert abs((drawn.mean(0) - means) / (bars + 0.01) * 20).mean() < 1.5  # of 1 expected
    rest = np.setdiff1d(np.arange(len(every)), chosen)
    assert drawn.std(0)[rest] == pytest.approx(bars[rest], rel=0.2)


def test_leaving_one_out_is_fitting_without_it():
    _, _, values, chosen, rows = fitted(40)
    means, bars = rows.left_out()
    k = 7
    keep = np.delete(np.arange(40), k)
    without = rows.of_data(rows.designs[keep], rows.values[keep])
    mean, bar = without.predict(rows.designs[[k]])
    assert means[k] == pytest.approx(float(mean[0]))
    noise = rows.kernel.noise * rows.scale**2
    assert bars[k] ** 2 == pytest.approx(float(bar[0]) ** 2 + noise)
    assert values[chosen[k]] == pytest.approx(rows.values[k])


def test_every_pair_of_sites_has_a_size_of_its_own():
    # what groups do together at sites 1 and 2 is large, though alone they do little there
    space, every, _ = known_space()
    rng = np.random.default_rng(0)
    alone, pair = rng.standard_normal((3, 7)), rng.standard_normal((7, 7))
    values = sum(alone[s][every[:, s]] * (0.2, 0.2, 2.0)[s] for s in range(3))
    values = values + pair[every[:, 0], every[:, 1]]
    chosen = rng.permutation(len(every))[:150]
    described = [descriptors(groups) for groups in space.groups]
    rows = fit_rows(every[chosen], values[chosen], described)
    size = (
        rows.kernel.weights[1] * rows.kernel.sites[1][[0, 0, 1]] * rows.kernel.sites[1][[1, 2, 2]]
    )
    assert size[0] > 20 * size[1] and size[0] > 20 * size[2]
    alone = rows.kernel.sites[0]
    assert alone[2] > 5 * alone[0] and alone[2] > 5 * alone[1]


def test_orders_are_shrunk_as_far_as_data_allow():
    *_, additive = fitted(100, weights=(1.0, 1e-6, 1e-6))
    *_, paired = fitted(100, weights=(0.2, 1.0, 1e-6))
    assert additive.kernel.weights[1] < 0.05 * additive.kernel.weights[0]
    assert paired.kernel.weights[1] > additive.kernel.weights[1] * 10


def test_rows_and_shapley_values_are_those_of_inclusion_and_exclusion():
    space, every, values = known_space()
    found = exploration(space, every, values)  # all are known, so that rows are exact
    design = (1, 3, 5)
    why = found.explain(design)
    table = {tuple(d): v for d, v in zip(every.tolist(), values, strict=True)}
    game = {}
    for size in (1, 2, 3):
        for sites in itertools.combinations(range(3), size):
            part = tuple(g if s in sites else 0 for s, g in enumerate(design))
            game[sites] = np.array([table[part] - table[0, 0, 0]])
    exact = dividends(game)
    scatter = 0.02 * values.std()
    for sites, row in zip(why.row_sites, why.rows, strict=True):
        assert row == pytest.approx(float(exact[sites][0]), abs=3 * scatter)
    assert all(why.measured)
    assert why.residual == pytest.approx(0, abs=1e-9)
    assert why.shapley.sum() == pytest.approx(why.total - why.base)
    assert why.total == pytest.approx(table[design], abs=scatter)


def test_error_bars_of_rows_cover_what_was_not_evaluated():
    space, every, values = known_space(3)
    chosen = np.random.default_rng(3).permutation(len(every))[:70]
    found, truth = (
        exploration(space, every[chosen], values[chosen]),
        exploration(space, every, values),
    )
    z = []
    for design in [(1, 2, 3), (4, 5, 6), (6, 1, 2), (2, 6, 1), (5, 3, 4)]:
        why, exact = found.explain(design), truth.explain(design)
        z += ((why.rows - exact.rows) / why.rows_std).tolist()
    assert (np.abs(z) < 2).mean() > 0.85
    assert 0.4 < np.std(z) < 1.5


def test_a_row_of_which_data_do_not_speak_says_so():
    space, every, values = known_space(3)
    # groups 4, 5, 6 never stand together at the first two sites
    met = (every[:, 0] > 3) & (every[:, 1] > 3)
    chosen = np.flatnonzero(~met)[::2]
    found = exploration(space, every[chosen], values[chosen])
    words = {}
    for design in [(1, 2, 0), (4, 0, 0), (6, 5, 0), (5, 4, 0)]:
        why = found.explain(design)
        words[design] = why.known[-1]
        assert np.all((why.learned >= 0) & (why.learned <= 1))
        assert tuple(why.to_frame()["known"]) == why.known
    assert words[1, 2, 0] == "measured" if (1, 2, 0) in found.sound else "predicted"
    assert words[4, 0, 0] != "undetermined"
    assert "undetermined" in (words[6, 5, 0], words[5, 4, 0])


def test_swaps_tell_the_gain_and_how_sure_it_is():
    space, every, values = known_space()
    chosen = np.random.default_rng(0).permutation(len(every))[:90]
    table = {tuple(d): v for d, v in zip(every.tolist(), values, strict=True)}
    for maximize in (True, False):
        found = exploration(space, every[chosen], values[chosen], maximize=maximize)
        swaps = found.next_swaps(count=100)
        assert len(swaps) == 3 * 6
        assert swaps["gain"].is_monotonic_decreasing
        here = found.winner
        right = []
        for row in swaps.itertuples():
            site = space.sites.index(row.site)
            group = [g.name for g in space.groups[site]].index(row.to)
            other = tuple(group if s == site else g for s, g in enumerate(here))
            gain = (table[other] - table[here]) * (1 if maximize else -1)
            right.append(abs(gain - row.gain) < 2.5 * row.std)
        assert np.mean(right) > 0.85


def test_a_molecule_unlike_its_parts_is_suspect():
    space, every, values = known_space(2, weights=(1.0, 0.05, 0.001))
    chosen = np.random.default_rng(2).permutation(len(every))[:90]
    values = values.copy()
    false = chosen[11]
    values[false] = values.max() + 1.5 * values.std()
    found = exploration(space, every[chosen], values[chosen])
    suspects = found.suspects()
    names = [tuple(row[:3]) for row in suspects.itertuples(index=False)]
    assert space.names(tuple(every[false].tolist())) in names
    assert len(suspects) <= 0.07 * 90
    assert "unlike its parts" in suspects["suspect"].iloc[0]


def test_twins_are_data_for_each_other_but_no_witnesses():
    from interpmd.design.scaffold import space_of

    space = space_of("c1c([*:1])cc([*:2])cc1", ["F", "Cl", "CN"])
    designs = [d for d in space.designs() if space.first_of(d) == d]
    values = [float(d[0] + d[1]) for d in designs]
    found = exploration(space, designs, values)
    assert found.sound[2, 1] == found.sound[1, 2] == 3.0
    assert found.explain((2, 1)).total == pytest.approx(3.0, abs=0.05)
    assert all(found.explain((2, 1)).measured)
    assert found.table()["std"].min() > 0.02  # what others say, not the molecule itself


def test_values_and_orders_that_make_no_sense_are_refused():
    described = [descriptors(known_space()[0].groups[0])] * 3
    with pytest.raises(ArgumentError, match="at least one value"):
        fit_rows([], [], described)
    with pytest.raises(ArgumentError, match="finite"):
        fit_rows([(0, 0, 0)], [np.nan], described)
    with pytest.raises(ArgumentError, match="order"):
        fit_rows([(0, 0, 0)], [1.0], described, order=4)
    space, *_ = known_space()
    with pytest.raises(DesignError, match="none of 0 molecules"):
        exploration(space, [], []).explain()
