"""The laws of the house: imports point one way, inside functions too, and files stay small."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import networkx as nx
import pytest

ROOT = Path(__file__).parents[1] / "interpmd"

#: From the ground up; a module imports from its own floor and from those before it.
FLOORS = (
    ("arguments", "errors", "extras", "keywords", "markup", "storage", "units"),
    ("structures",),
    ("levels",),
    ("plots",),
    ("potentials",),
    ("decomposition",),
    ("reference",),
    ("dynamics",),
    ("fitting",),
    ("attribution",),
    ("trust",),
    ("design",),
    ("views",),
    ("__main__", "cli", "demo", "lab", "shipped"),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}

#: Largest part of all lines that one room may hold, and lines of one file.
LARGEST_ROOM, LONGEST_FILE = 0.22, 400


def modules() -> dict[str, Path]:
    """All modules of the package by dotted name."""
    names = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return names


def imports(source: str, known: set[str]) -> set[str]:
    """Modules of the package that a source imports anywhere, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if full in known else str(node.module))
    return found & known


def arrows() -> list[tuple[str, str]]:
    """Who imports whom, without the package's own face, which only names what others hold."""
    paths = modules()
    return [
        (name, other)
        for name, path in paths.items()
        if name != "interpmd"
        for other in imports(path.read_text(), set(paths))
    ]


def room(module: str) -> str:
    """The room that a module stands in."""
    return module.split(".")[1]


def upward(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Imports from a higher floor, or from the face of the package."""
    return [
        (name, other)
        for name, other in pairs
        if other == "interpmd" or FLOOR[room(other)] > FLOOR[room(name)]
    ]


def circles(pairs: list[tuple[str, str]]) -> list[list[str]]:
    """Modules that import each other, directly or by way of others."""
    graph = nx.DiGraph(pairs)
    return [sorted(c) for c in nx.strongly_connected_components(graph) if len(c) > 1]


def test_every_room_has_a_floor():
    assert {room(name) for name in modules() if name != "interpmd"} <= set(FLOOR)


def test_imports_point_down():
    # the command line, demo and course are users of the package
    users = set(FLOORS[-1])
    inside = [
        (name, other)
        for name, other in arrows()
        if not (room(name) in users and other == "interpmd")
    ]
    assert upward(inside) == []


def test_there_are_no_circles():
    assert circles(arrows()) == []


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("def late():\n    from interpmd.views.explorer import ForceExplorer\n", True),
        ("import interpmd.views.live\n", True),
        ("from interpmd.errors import LabelError\n", False),
    ],
)
def test_the_locks_see_imports_inside_functions(source, seen):
    here = "interpmd.structures.files"
    pairs = [(here, other) for other in imports(source, set(modules()))]
    assert pairs
    assert bool(upward(pairs)) is seen


def test_the_locks_see_circles():
    pairs = [("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")]
    assert circles(pairs) == [["a", "b", "c"]]


def test_files_hold_one_idea():
    long = {
        str(path): count
        for path in ROOT.rglob("*.py")
        if (count := len(path.read_text().splitlines())) > LONGEST_FILE
    }
    assert long == {}


def test_no_two_files_of_tests_have_one_name():
    # pytest imports them by their last names, and fails where two are the same
    names = Counter(path.name for path in (ROOT.parent / "tests").rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []


def test_no_room_outgrows_the_house():
    lines = Counter()
    for name, path in modules().items():
        if name != "interpmd":
            lines[room(name)] += len(path.read_text().splitlines())
    largest, count = lines.most_common(1)[0]
    assert count <= LARGEST_ROOM * lines.total(), (largest, count / lines.total())


def test_importing_a_module_gives_the_module():
    # not what the face of its room exports under the same name
    paths = modules()
    hidden = []
    for name in paths:
        face, _, own = name.rpartition(".")
        if face and face != "interpmd":
            exported = {
                alias.asname or alias.name
                for node in ast.parse(paths[face].read_text()).body
                if isinstance(node, ast.ImportFrom) and f"{node.module}.{own}" != name
                for alias in node.names
            }
            if own in exported:
                hidden.append(name)
    assert hidden == []


#: What jaxtyping calls arrays, and Annotated: only the first thing in their brackets is a type.
SHAPED = {
    "Annotated",
    "Bool",
    "UInt8",
    "Complex",
    "Float",
    "Inexact",
    "Int",
    "Num",
    "Shaped",
    "UInt",
}


def quoted_names(source: str) -> list[str]:
    """Strings in annotations that are neither shapes of jaxtyping nor literals.

    All files import annotations from __future__, so that nothing else needs quotes there; and a
    quoted name that does not exist goes unnoticed where shapes keep the linter from reading it.
    """
    quoted = []
    for node in ast.walk(ast.parse(source)):
        for hint in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if isinstance(hint, ast.expr):
                quoted += _strings(hint)
    return quoted


def _strings(hint: ast.expr) -> list[str]:
    if isinstance(hint, ast.Subscript) and isinstance(hint.value, ast.Name):
        if hint.value.id == "Literal":
            return []
        if hint.value.id in SHAPED and isinstance(hint.slice, ast.Tuple):
            return _strings(hint.slice.elts[0])
    if isinstance(hint, ast.Constant):
        return [hint.value] if isinstance(hint.value, str) else []
    parts = [part for part in ast.iter_child_nodes(hint) if isinstance(part, ast.expr)]
    return [string for part in parts for string in _strings(part)]


def test_strings_in_annotations_are_shapes():
    quoted = {name: quoted_names(path.read_text()) for name, path in modules().items()}
    assert {name: strings for name, strings in quoted.items() if strings} == {}


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ('def f(x: Float[Tensor, "atoms 3"], kind: Literal["a"]) -> None: ...', []),
        ('def f(x: "Tensr") -> list["Explanaton"]: ...', ["Explanaton", "Tensr"]),
        ('x: dict[str, Float["Tensr", "atoms 3"]] = {}', ["Tensr"]),
    ],
)
def test_the_lock_sees_quoted_names(source, seen):
    assert sorted(quoted_names(source)) == seen
