"""Learning a potential from labels: the closed-form fit, its report, and learning curves."""

from interpmd.fitting.active.acquisition import Goal, choose
from interpmd.fitting.active.candidates import candidates
from interpmd.fitting.active.growing import GrowingFit
from interpmd.fitting.active.learn import LearnProgress, LearnReport, learn
from interpmd.fitting.active.on_the_fly import LearningCalculator, on_the_fly
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
    "LearningCalculator",
    "Spec",
    "candidates",
    "choose",
    "correction",
    "evaluate",
    "fit",
    "learn",
    "learning_curve",
    "on_the_fly",
]
