"""Interpretable neural potentials: learn from quantum labels, explain every force.

>>> import interpmd as im
>>> potential = im.load("malonaldehyde")
>>> explanation = im.explain(potential, atoms, target=im.Force(8))
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

#: Public names and where they live; loaded when they are first used.
_WHERE = {
    "Batch": "interpmd.systems",
    "read_frames": "interpmd.files",
    "Potential": "interpmd.potentials",
    "load": "interpmd.potentials.io:load_potential",
    "shipped": "interpmd.potentials.io",
    "Spec": "interpmd.fitting.spec",
    "fit": "interpmd.fitting.fit",
    "FitProgress": "interpmd.fitting.progress",
    "FitReport": "interpmd.fitting.report",
    "evaluate": "interpmd.fitting.report",
    "learning_curve": "interpmd.fitting.learning_curve",
    "doctor": "interpmd.fitting.doctor",
    "cure": "interpmd.fitting.cure",
    "Diagnosis": "interpmd.fitting.diagnosis",
    "label": "interpmd.reference",
    "sample": "interpmd.reference",
    "isolated_atoms": "interpmd.reference",
    "explain": "interpmd.attribution",
    "explain_trajectory": "interpmd.attribution",
    "ledger": "interpmd.attribution",
    "methods": "interpmd.attribution",
    "cooperativity": "interpmd.attribution",
    "fragments_of": "interpmd.attribution",
    "load_explanation": "interpmd.attribution",
    "to_shap": "interpmd.attribution",
    "Energy": "interpmd.attribution",
    "Force": "interpmd.attribution",
    "Torque": "interpmd.attribution",
    "Power": "interpmd.attribution",
    "TorchModel": "interpmd.attribution",
    "Explanation": "interpmd.attribution",
    "Certificate": "interpmd.attribution",
    "certify": "interpmd.attribution",
    "assert_explanation_close": "interpmd.attribution",
    "faithfulness": "interpmd.attribution",
    "infidelity": "interpmd.attribution",
    "sensitivity": "interpmd.attribution",
    "learned_truth": "interpmd.attribution.truth",
    "quantum_truth": "interpmd.attribution.truth",
    "QuantumTruth": "interpmd.attribution.truth",
    "Decomposition": "interpmd.decomposition",
    "simulate": "interpmd.dynamics",
    "Trajectory": "interpmd.dynamics",
    "plots": "interpmd.views",
    "ForceExplorer": "interpmd.views.explorer",
    "GeometryLab": "interpmd.views.geometry",
    "FitMonitor": "interpmd.views.fit_monitor",
    "LiveMD": "interpmd.views.live",
    "PotentialInspector": "interpmd.views.inspector",
    "pair_curve": "interpmd.views.inspector",
    "triplet_map": "interpmd.views.inspector",
    "run_demo": "interpmd.demo",
    "ArgumentError": "interpmd.errors",
    "InterpmdError": "interpmd.errors",
    "LabelError": "interpmd.errors",
    "OutputError": "interpmd.errors",
    "PotentialFileError": "interpmd.errors",
    "StructureError": "interpmd.errors",
    "UnknownElementError": "interpmd.errors",
}

__all__ = sorted(_WHERE)

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'interpmd' has no attribute {name!r}")
    module, _, attribute = _WHERE[name].partition(":")
    value = getattr(import_module(module), attribute or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
