"""An input script of LAMMPS, and the two lines in it that name a potential of interpmd."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ase.data import atomic_numbers

from interpmd.errors import SimulationError

#: What the lines look like, for messages.
FORM = "pair_style interpmd POTENTIAL [float32], and after it pair_coeff * * O H"


@dataclass(frozen=True)
class Script:
    """A script in two parts; between them the potential is put in.

    Attributes:
        potential: shipped potential or folder. elements: symbol of each type.
        precision: "float64" or "float32".
        before, after: lines of LAMMPS.
    """

    potential: str
    elements: tuple[str, ...]
    precision: str
    before: str
    after: str


def read_script(path: str | Path) -> Script:
    """Read a script and take the two lines out of it.

    Raises:
        SimulationError: there is no such file, one of the lines is not there, is there twice, or
            names no element.
    """
    lines = _text(Path(path)).splitlines()
    words = [line.partition("#")[0].split() for line in lines]
    style = _only([n for n, w in enumerate(words) if w[:2] == ["pair_style", "interpmd"]], path)
    later = [n for n, w in enumerate(words) if w[:1] == ["pair_coeff"] and n > style]
    coefficients = _only(later, path)
    potential, precision = _style(words[style][2:], path, style)
    elements = _elements(words[coefficients][1:], path, coefficients)
    before, after = lines[:coefficients], lines[coefficients + 1 :]
    before[style] = "# the potential of interpmd stands below"
    return Script(potential, elements, precision, "\n".join(before), "\n".join(after))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SimulationError(f"{path} cannot be read as an input script ({error})") from error


def _only(found: Sequence[int], path: str | Path) -> int:
    if len(found) != 1:
        count = "none" if not found else f"{len(found)}, in lines {[n + 1 for n in found]}"
        raise SimulationError(f"{path}: once there must be {FORM}; there is {count}")
    return found[0]


def _style(words: Sequence[str], path: str | Path, line: int) -> tuple[str, str]:
    if not 1 <= len(words) <= 2 or words[1:] not in ([], ["float32"], ["float64"]):
        raise SimulationError(f"{path}, line {line + 1}: it must read {FORM}")
    return words[0], [*words, "float64"][1]


def _elements(words: Sequence[str], path: str | Path, line: int) -> tuple[str, ...]:
    symbols = tuple(words[2:])
    unknown = [symbol for symbol in symbols if symbol not in atomic_numbers or symbol == "X"]
    if list(words[:2]) != ["*", "*"] or not symbols or unknown:
        what = f"; {unknown[0]!r} is no element" if unknown else ""
        raise SimulationError(f"{path}, line {line + 1}: it must read {FORM}{what}")
    return symbols
