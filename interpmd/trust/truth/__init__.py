"""Is what an explanation says right? Checked where the truth is known.

`learned_truth`: potentials fitted to an analytic potential, whose rows are known in closed form.
`quantum_truth`: a potential beside the many-body expansion of its own reference method.
"""

from interpmd.errors import TruthError
from interpmd.trust.truth.agreement import QuantumTruth
from interpmd.trust.truth.learned import RowErrors, learned_checks, learned_truth, row_errors
from interpmd.trust.truth.quantum import quantum_truth

__all__ = [
    "QuantumTruth",
    "RowErrors",
    "TruthError",
    "learned_checks",
    "learned_truth",
    "quantum_truth",
    "row_errors",
]
