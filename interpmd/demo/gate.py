"""Many jumps instead of one: which motion opened the gate, and what it paid for."""

from __future__ import annotations

import pandas as pd

from interpmd.attribution.over_time.events import EventLedger, event_ledger
from interpmd.demo.molecule import FIRST, MALONALDEHYDE, PROTON, SECOND
from interpmd.dynamics.events import proton_transfer
from interpmd.dynamics.shooting.shoot import shoot
from interpmd.dynamics.shooting.tops import top_structures
from interpmd.potentials.potential import Potential
from interpmd.views.report import Report

#: Rows of either part of the table.
PAYING, PAID = 3, 4


def opened(potential: Potential, temperature: float, events: int, seed: int) -> EventLedger:
    """The ledger of jumps of malonaldehyde's proton, shot from the top of its barrier.

    Args:
        potential: of malonaldehyde.
        temperature: K.
        events: number of jumps.
        seed: of the velocities.
    """
    transfer = proton_transfer(PROTON, SECOND, FIRST)
    tops = top_structures(
        potential,
        MALONALDEHYDE,
        transfer,
        max(10, events // 3),
        temperature=temperature,
        settle=200.0,
        seed=seed,
    )
    jumps = shoot(
        potential,
        tops,
        transfer,
        events,
        temperature=temperature,
        window=60.0,
        seed=seed,
        progress=False,
    )
    return event_ledger(potential, jumps, before=50.0, after=50.0, progress=False)


def gate_table(ledger: EventLedger) -> pd.DataFrame:
    """What the motions give and what the interactions take up, in meV with standard errors."""
    gates, rises = ledger.gates().iloc[:PAYING], ledger.rises().iloc[:PAID]
    parts = {
        "gives": (gates["gives_eV"], gates["gives_error"]),
        "takes up": (rises["rise_eV"], rises["rise_error"]),
    }
    rows = [
        {"row": f"{word}: {name}", "meV": 1000 * value, "±": 1000 * error}
        for word, (values, errors) in parts.items()
        for name, value, error in zip(values.index, values, errors, strict=True)
    ]
    rise, error = ledger.rise
    rows.append({"row": "rise of the potential energy", "meV": 1000 * rise, "±": 1000 * error})
    table = pd.DataFrame(rows).set_index("row").rename_axis("motion or interaction")
    return table.round(0).astype(int)


def gate_in_report(report: Report, ledger: EventLedger) -> None:
    """The chapter of the demonstration's page about many jumps."""
    report.heading("Who opened the gate?")
    report.text(
        f"One jump is an anecdote. {len(ledger.events)} jumps were shot from the top of the "
        f"barrier, forward and backward in time. {ledger.verdict[0].upper()}{ledger.verdict[1:]}. "
        "Errors are over the jumps."
    )
    report.figure(
        ledger.plot_motions().figure, "Energy of the motions that pay, mean over all jumps"
    )
    report.figure(ledger.plot().figure, "Energy that interactions take up, mean over all jumps")
    report.table(gate_table(ledger))
    report.text(
        f"Fact: interactions sum to the potential energy (to {100 * ledger.closure:.2g} % of what "
        "they exchange), motions to the kinetic energy. Convention: which coordinates and which "
        "vibrations stand for the rows.",
        note=True,
    )
