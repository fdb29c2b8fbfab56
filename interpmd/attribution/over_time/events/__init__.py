"""The ledger over many events, aligned at the crossing: what rises first, and who pays for it.

* `motions`: the vibrations of the molecule as rows of the kinetic energy
* `stored`: the energy that every interaction takes up along an event
* `ledger`: both, aligned at the crossing; `averages`: means over events, with bootstrap errors
* `exchange`: which motion pays which interaction; `flow`: energy from group to group
* `beside`: the same by another model, the reference for instance, on the same frames
"""

from interpmd.attribution.over_time.events.beside import Beside, ledger_beside
from interpmd.attribution.over_time.events.ledger import event_ledger
from interpmd.attribution.over_time.events.result import EventLedger

__all__ = ["Beside", "EventLedger", "event_ledger", "ledger_beside"]
