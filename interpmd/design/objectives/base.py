"""What an objective is: structures to relax, and a number that they give.

An objective names states of a molecule (with and without its hydrogen bond, neutral and
protonated, ...). Each is guessed, relaxed and looked at; the objective turns the lowest structure
of each into one number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from ase import Atoms
from ase.calculators.calculator import Calculator

from interpmd.design.geometry import Torsions
from interpmd.design.scaffold import marked
from interpmd.errors import DesignError

if TYPE_CHECKING:
    from rdkit import Chem


@dataclass(frozen=True)
class State:
    """A structure that an objective needs.

    Attributes:
        name: such as "closed".
        molecule: with all hydrogens.
        guess: torsions in degrees that the first guess has.
        held: torsions in degrees that stay through the relaxation.
        keeps: torsions in degrees that the relaxed structure has to within `within`, else it is
            another state.
        within: degrees.
        structures: first guesses, where they are not those of RDKit.
    """

    name: str
    molecule: Chem.Mol
    guess: Torsions = field(default_factory=dict)
    held: Torsions = field(default_factory=dict)
    keeps: Torsions = field(default_factory=dict)
    within: float = 60.0
    structures: tuple[Atoms, ...] = ()


class Objective:
    """What is sought: states of a molecule and their number.

    Subclasses are frozen dataclasses, so that an exploration can be resumed with the same one.

    Attributes:
        name: as shown.
        unit: of the number ("eV", "e A").
    """

    name: ClassVar[str] = "objective"
    unit: ClassVar[str] = "eV"

    def states(self, molecule: Chem.Mol) -> list[State]:
        """What is to be relaxed.

        Raises:
            DesignError: the molecule lacks what the objective needs.
        """
        return [State("relaxed", molecule)]

    def value(self, found: Mapping[str, Atoms], model: Calculator) -> float:
        """The number.

        Args:
            found: the lowest relaxed structure of each state, with its energy and forces.
            model: for single energies that are needed beside them.
        """
        raise NotImplementedError

    def key(self) -> str:
        """What tells this objective from others, for files."""
        return repr(self)


@dataclass(frozen=True)
class OfStructure(Objective):
    """Any function of the relaxed structure, of which it is given a copy with the model attached.

    Attributes:
        function: of one `ase.Atoms`; with several workers one of the top level of a module.
        name: as shown.
        unit: of its number.
    """

    function: Callable[[Atoms], float]
    name: str = ""  # pyright: ignore[reportIncompatibleVariableOverride]
    unit: str = ""  # pyright: ignore[reportIncompatibleVariableOverride]

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise DesignError(f"the objective is a name or a function, not {self.function!r}")
        if not self.name:
            name = getattr(self.function, "__name__", type(self.function).__name__)
            object.__setattr__(self, "name", name.strip("<>"))

    def value(self, found: Mapping[str, Atoms], model: Calculator) -> float:
        """What the function says of the structure."""
        atoms = found["relaxed"].copy()
        atoms.calc = model
        return float(self.function(atoms))

    def key(self) -> str:
        """Module and name of the function."""
        function = self.function
        where = getattr(function, "__module__", ""), getattr(function, "__qualname__", self.name)
        return ".".join((*where, self.unit))


def atom_marked(molecule: Chem.Mol, number: int, what: str) -> int:
    """The atom that carries a number in the scaffold.

    Raises:
        DesignError: there is none.
    """
    known = marked(molecule)
    if number not in known:
        raise DesignError(
            f"{what} is atom number {number}, which the scaffold does not have; it has "
            f"{sorted(known) or 'none'} (write [O:11] for an oxygen with number 11)"
        )
    return known[number]
