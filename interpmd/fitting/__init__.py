"""Learning a potential from labels: the closed-form fit, its report, and learning curves."""

from interpmd.fitting.active.acquisition import Goal, choose
from interpmd.fitting.active.growing import GrowingFit
from interpmd.fitting.active.learn import LearnProgress, LearnReport, learn
from interpmd.fitting.closed_form import fit
from interpmd.fitting.delta import correction
from interpmd.fitting.learning import learning_curve
from interpmd.fitting.progress import FitProgress
from interpmd.fitting.report import Evaluation, FitReport, evaluate
from interpmd.fitting.spec import Spec

__all__ = [
    "Evaluation",
    "FitProgress",
    "FitReport",
    "Goal",
    "GrowingFit",
    "LearnProgress",
    "LearnReport",
    "Spec",
    "choose",
    "correction",
    "evaluate",
    "fit",
    "learn",
    "learning_curve",
]
