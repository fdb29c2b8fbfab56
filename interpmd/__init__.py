"""Interpretable neural potentials: learn from quantum labels, explain every force.

>>> import interpmd as im
>>> from interpmd.demo import MALONALDEHYDE
>>> potential = im.load("malonaldehyde")
>>> explanation = im.explain(potential, MALONALDEHYDE, im.Force(8, along=0))
>>> explanation.residual < 1e-8  # the values add up to the force
True
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

#: Public names by the module that holds them, the ground floor first; loaded when first used.
_NAMES = {
    "interpmd.structures.systems": "Batch",
    "interpmd.structures.files": "read_frames",
    "interpmd.structures.fragments": "fragments_of",
    "interpmd.potentials": "Potential",
    "interpmd.potentials.shelf": "load=load_potential shipped",
    "interpmd.decomposition": "Decomposition decompose pair_curve triplet_map",
    "interpmd.reference": "isolated_atoms label sample",
    "interpmd.dynamics": "Trajectory simulate",
    "interpmd.dynamics.driver": "drive",
    "interpmd.dynamics.replicas": "replicas",
    "interpmd.dynamics.lammps": "run_lammps",
    "interpmd.dynamics.events": (
        "Event Events ReactionCoordinate hydrogen_bond proton_transfer ring_pucker torsion_flip"
    ),
    "interpmd.dynamics.events.found": "events",
    "interpmd.dynamics.biased": "lowered",
    "interpmd.dynamics.beads": "PathIntegrals",
    "interpmd.dynamics.path_integrals": "path_integrals",
    "interpmd.dynamics.shooting.committor": "committor",
    "interpmd.dynamics.shooting.shoot": "shoot",
    "interpmd.dynamics.shooting.tops": "top_structures",
    "interpmd.dynamics.modes": "NormalModes normal_modes",
    "interpmd.dynamics.observables.free_energy": "FreeEnergy free_energy",
    "interpmd.dynamics.observables.free_energy_map": "FreeEnergyMap free_energy_map",
    "interpmd.dynamics.umbrella": "Umbrella umbrella",
    "interpmd.dynamics.observables.hydrogen_bonds": "HydrogenBondsInTime hydrogen_bonds",
    "interpmd.dynamics.observables.radial": "RadialDistribution radial_distribution",
    "interpmd.dynamics.observables.slow": "slow_coordinates",
    "interpmd.dynamics.observables.spectrum": "PowerSpectrum power_spectrum",
    "interpmd.dynamics.paths": "Path path scan",
    "interpmd.dynamics.relaxation": "Relaxation relax",
    "interpmd.fitting": (
        "FitProgress FitReport Spec evaluate fit learning_curve correction Goal GrowingFit "
        "LearnProgress LearnReport choose candidates learn on_the_fly"
    ),
    "interpmd.fitting.distil": "Distilled distil",
    "interpmd.attribution": (
        "Certificate Energy Explanation Force Power TorchModel Torque cooperativity explain "
        "explain_trajectory ledger load_explanation to_shap"
    ),
    "interpmd.attribution.along_path.reaction_force": "ReactionForce",
    "interpmd.attribution.along_path.strain": "ActivationStrain",
    "interpmd.attribution.along_path.table": "PathExplanation explain_path",
    "interpmd.attribution.over_time.reg": "RelativeEnergyGradient",
    "interpmd.attribution.over_time.events": "EventLedger event_ledger ledger_beside",
    "interpmd.attribution.corrections": "Corrections corrections",
    "interpmd.structures.groups": "Grouping groups_of",
    "interpmd.attribution.methods.registry": "gauges methods",
    "interpmd.trust": (
        "Diagnosis assert_explanation_close certify certify_explanation cure doctor "
        "faithfulness infidelity sensitivity"
    ),
    "interpmd.reference.torsions": "torsion_profile",
    "interpmd.trust.force_fields": "ForceFieldComparison compare_force_fields",
    "interpmd.trust.known_fragments": "KnownFragments known_fragments remember_fragments",
    "interpmd.trust.reproducibility": "reproduce reproducibility",
    "interpmd.trust.truth": "QuantumTruth learned_truth quantum_truth",
    "interpmd.design.evaluate": "Effort",
    "interpmd.design.run": "explore",
    "interpmd.design.exploration": "Exploration",
    "interpmd.design.conformers": "conformers",
    "interpmd.design.learning": "explore_and_learn",
    "interpmd.views.explorer": "ForceExplorer",
    "interpmd.views.gallery": "DesignGallery",
    "interpmd.views.geometry": "GeometryLab",
    "interpmd.views.fit_monitor": "FitMonitor",
    "interpmd.views.learn_monitor": "LearnMonitor",
    "interpmd.views.live": "LiveMD",
    "interpmd.views.inspector": "PotentialInspector",
    "interpmd.demo": "run_demo",
    "interpmd.errors": (
        "ArgumentError CalculationError CertificateError ConvergenceWarning CoordinateError "
        "CourseError DesignError DesignFileError ExplanationFileError ExplanationSealError "
        "ExtrapolationWarning FragmentError FramesError GaugeError GroupingError "
        "InternalGaugeError InterpmdError IsomerWarning LabelError LabelSealError LabelWarning "
        "LedgerError LedgerWarning LevelMismatchError MemoryLimitError MethodError "
        "MissingPackageError MissingPhysicsError ModelError NoFitError OutputError PathError "
        "PotentialFileError "
        "PotentialSealError QuestionError ReactionError SealError SimulationError SingularError "
        "StructureError StructureFileError TargetError TrajectoryError TrajectorySealError "
        "TruthError UnknownElementError UnknownLevelError UnknownMethodError "
        "UnknownSamplingError UnsealedWarning ViewerError"
    ),
}

#: Module and name there of each public name, and of rooms that are used whole.
_WHERE = {
    public: (module, there or public)
    for module, names in _NAMES.items()
    for public, _, there in (name.partition("=") for name in names.split())
} | {"plots": ("interpmd.plots", None)}

__all__ = sorted(_WHERE)

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'interpmd' has no attribute {name!r}")
    module, there = _WHERE[name]
    value = import_module(module) if there is None else getattr(import_module(module), there)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
