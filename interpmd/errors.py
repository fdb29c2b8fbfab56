"""The errors that interpmd raises, each naming the culprit and what to do about it."""

from __future__ import annotations

from typing import Any


class InterpmdError(Exception):
    """Base class of all errors raised by interpmd on purpose."""


class StructureError(InterpmdError, ValueError):
    """A structure cannot be used: empty, NaN, overlapping atoms, singular cell."""


class UnknownElementError(InterpmdError, ValueError):
    """A structure holds an element that the potential was not made for."""


class LabelError(InterpmdError, ValueError):
    """Training data lack energies or forces, or those are inconsistent."""


class StructureFileError(LabelError):
    """A file of structures that is missing, unreadable or empty, or a thing that holds none."""


class ArgumentError(InterpmdError, ValueError):
    """An argument has a value that makes no sense."""


class OutputError(InterpmdError, OSError):
    """A result cannot be written; where it was computed already, `report` holds it."""

    report: Any = None


class PotentialFileError(InterpmdError, ValueError):
    """A folder is no potential, is damaged, or was written by a newer version."""


class SealError(InterpmdError, ValueError):
    """What a file holds is not what interpmd wrote: damaged, altered, or of two files."""


class PotentialSealError(SealError, PotentialFileError):
    """A potential whose weights or description are not those that were saved."""


class LabelSealError(SealError, LabelError):
    """A labelled frame that was altered after it was written."""


class UnsealedWarning(UserWarning):
    """A file of an earlier release: nothing shows whether it is as it was written."""


class CertificateError(InterpmdError, AssertionError):
    """A check that was required fails or was not made."""


class FragmentError(InterpmdError, ValueError):
    """Fragments with atoms that the structure does not have, or that overlap."""


class GroupingError(InterpmdError, ValueError):
    """An unknown way of summing values."""


class LedgerWarning(UserWarning):
    """The works do not sum to the change of the kinetic energy."""


class LedgerError(InterpmdError, ValueError):
    """A trajectory whose work cannot be reckoned: no velocities, no times, a single frame."""


class ModelError(InterpmdError, TypeError):
    """Something that gives no energies and forces."""


class GaugeError(InterpmdError, ValueError):
    """An unknown gauge, or one that does not suit the question."""


class MethodError(InterpmdError, ValueError):
    """An unknown method or context, or one that does not suit the question."""


class ExplanationFileError(InterpmdError, ValueError):
    """A file that holds no explanation."""


class ExplanationSealError(SealError, ExplanationFileError):
    """An explanation in a file that was altered after it was written."""


class TargetError(InterpmdError, ValueError):
    """The target does not exist in the structure."""


class TrajectoryError(InterpmdError, ValueError):
    """Frames that make no trajectory: none at all, other atoms, or times that do not fit."""


class ReactionError(InterpmdError, ValueError):
    """Events that cannot be found, made or compared: a coordinate without a number, seeds that lie
    in a state, frames without velocities."""


class TruthError(InterpmdError, ValueError):
    """An unknown truth or model."""


class SimulationError(InterpmdError, RuntimeError):
    """A simulation went wrong; what was recorded until then is kept in the file."""


class TrajectorySealError(SealError, SimulationError):
    """A trajectory file whose frames or settings are not those that were written."""


class ConvergenceWarning(UserWarning):
    """A search for a minimum, a saddle point or a path ended before the forces were small."""


class PathError(InterpmdError, ValueError):
    """Structures that make no path, or a path that has not what a question is about."""


class LabelWarning(UserWarning):
    """Something about the training data that the fit can live with."""


class IsomerWarning(UserWarning):
    """One stereoisomer was taken of several that a formula leaves open."""


class SingularError(InterpmdError, ArithmeticError):
    """The normal equations have no solution at this ridge strength."""


class MemoryLimitError(InterpmdError, MemoryError):
    """The normal equations do not fit into the memory that the user allows."""


class CourseError(InterpmdError):
    """The notebooks, or the program that shows them, are not there."""


class ExtrapolationWarning(UserWarning):
    """A structure is unlike the training data."""


class CalculationError(InterpmdError, RuntimeError):
    """A quantum calculation ended without a result that can be trusted.

    Attributes:
        structure: of several that were asked for together, the number of the one that failed.
    """

    structure: int = 0


class MissingPackageError(InterpmdError, ImportError):
    """A package of an optional extra is not installed; the message says which extra brings it."""


#: Former name, for one release.
MissingPhysicsError = MissingPackageError


class UnknownLevelError(InterpmdError, ValueError):
    """A level of theory that interpmd cannot run."""


#: Former name, for one release.
UnknownMethodError = UnknownLevelError


class UnknownSamplingError(InterpmdError, ValueError):
    """There is no such way of sampling."""


class LevelMismatchError(InterpmdError, ValueError):
    """A file to be resumed holds labels of another level of theory, or none."""


class QuestionError(InterpmdError, ValueError):
    """A choice that the explorer does not know."""


class FramesError(InterpmdError, ValueError):
    """Frames that cannot be shown together."""


class NoFitError(InterpmdError):
    """A monitor has nothing to show."""


class ViewerError(MissingPackageError):
    """The 3D viewer cannot be used here; the message says what to install."""


class InternalGaugeError(InterpmdError, ValueError):
    """Forces, stiffnesses or frames that do not fit the coordinates."""


class CoordinateError(InterpmdError, ValueError):
    """Internal coordinates that a structure does not have, or a frame that does not fit them."""


class DesignError(InterpmdError, ValueError):
    """A scaffold, group, objective or molecule that cannot be explored; what was computed until
    then, `report` holds."""

    report: Any = None


class DesignFileError(DesignError):
    """A file of explored molecules that holds something else, or is damaged."""
