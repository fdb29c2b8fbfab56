"""Pictures by matplotlib in one look. Each takes ``ax=`` and returns its Axes.

| picture | function |
|---|---|
| contributions that add up, as a waterfall | `budget` |
| contributions as bars from zero, with their sum | `bars` |
| rows of a baseline and what was corrected | `corrected` |
| shares of body orders, of one or several sources | `shares` |
| atoms by atoms, signed | `heat_map` |
| a pair's energy by distance | `pair_energy` |
| a model in a few curves, and shares as one bar | `distilled_curve`, `share_bar` |
| energy along a coordinate | `energy_scan` |
| energy over two coordinates | `energy_map` |
| a molecule with forces and interactions | `draw_molecule` |
| contributions against time | `time_lines`, `explained_lines` |
| work done against time, with the kinetic energy | `work_ledger` |
| energy and temperature of a simulation | `energy_and_temperature` |
| prediction against reference | `parity`, `energies_and_forces` |
| error against number of labels | `learning_curve`, `label_race`, `held_out_errors` |
| n-body terms of water, model against quantum | `many_body` |
| curves of rankings | `rankings` |
| events: the coordinate, energies around the crossing | `passages`, `energies_around` |
| flow of energy between groups, on the molecule | `flows` |
| rises of interactions by two models | `two_ledgers` |
| groups by sites, signed | `group_table` |
| a tree of choices, the way taken in bold | `choice_tree` |
| energy along a path | `energy_profile` |
| rows along a path | `row_lines` |
| slopes of rows between turning points | `segment_bars` |
| reaction force and its regions | `force_regions` |
| interactions by frames | `barcode`, `explained_barcode` |
| free energy along a coordinate | `profile` |
| power spectrum | `spectrum_line` |
| radial distribution functions | `radial_lines` |
| levels with error bars | `levels` |
"""

from interpmd.plots.budgets import bars, budget, corrected, heat_map, shares
from interpmd.plots.comparisons import energies_and_forces, many_body, parity
from interpmd.plots.curves import energy_scan, pair_energy
from interpmd.plots.design import choice_tree, group_table, levels
from interpmd.plots.distilled import distilled_curve, share_bar
from interpmd.plots.events import energies_around, flows, passages, two_ledgers
from interpmd.plots.learning import held_out_errors, label_race, learning_curve
from interpmd.plots.lines import (
    energy_and_temperature,
    explained_lines,
    rankings,
    time_lines,
    work_ledger,
)
from interpmd.plots.maps import energy_map
from interpmd.plots.molecule import draw_molecule
from interpmd.plots.observables import (
    barcode,
    explained_barcode,
    profile,
    radial_lines,
    spectrum_line,
)
from interpmd.plots.paths import energy_profile, force_regions, row_lines, segment_bars

__all__ = [
    "barcode",
    "bars",
    "budget",
    "choice_tree",
    "corrected",
    "distilled_curve",
    "draw_molecule",
    "energies_and_forces",
    "energies_around",
    "energy_and_temperature",
    "energy_map",
    "energy_profile",
    "energy_scan",
    "explained_barcode",
    "explained_lines",
    "flows",
    "force_regions",
    "group_table",
    "heat_map",
    "held_out_errors",
    "label_race",
    "learning_curve",
    "levels",
    "many_body",
    "pair_energy",
    "parity",
    "passages",
    "profile",
    "radial_lines",
    "rankings",
    "row_lines",
    "segment_bars",
    "share_bar",
    "shares",
    "spectrum_line",
    "time_lines",
    "two_ledgers",
    "work_ledger",
]
