"""Text from data never becomes markup: all HTML is made in one place, and all pages are tried."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import pkgutil
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from ase.build import molecule
from hostile_results import RESULTS, learned, trajectory_of

import interpmd
import interpmd as im
from interpmd.attribution.certificate import Certificate, Check
from interpmd.attribution.methods.registry import MethodTable
from interpmd.attribution.over_time.drivers import Drivers
from interpmd.design.evaluate import Evaluated
from interpmd.design.scaffold import space_of
from interpmd.fitting.progress import FitProgress
from interpmd.fitting.report import Evaluation, FitReport
from interpmd.markup import Markup, escaped, in_script, joined, markup, table
from interpmd.potentials import Morse, Potential, StillingerWeber
from interpmd.potentials.card import Card
from interpmd.trust.diagnosis import Diagnosis
from interpmd.trust.prediction import Infidelity
from interpmd.trust.rankings import Faithfulness
from interpmd.trust.steadiness import Sensitivity
from interpmd.trust.truth.agreement import QuantumTruth
from interpmd.views.report import Report

#: How objects show themselves as HTML, or write a page.
WAYS = ("_repr_html_", "_repr_markdown_", "_repr_svg_", "_repr_latex_", "_repr_mimebundle_")

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    "<!--<script>",
    '" onmouseover="alert(3)',
    "' onfocus='alert(4)",
    "</title></style></td></pre><b>bold",
    "&lt;b&gt;&amp;",
)
WATER = molecule("H2O")


def potential_of(evil: str) -> Potential:
    """A potential whose level, provenance and names of terms are hostile."""
    terms = {
        evil.replace(".", "_"): Morse(depth=0.5, width=1.0, distance=1.2, cutoff=4.0),
        "three": StillingerWeber(epsilon=0.4, sigma=1.6, lam=5.0),
    }
    check = Check(evil, evil, 1.0, 2.0, evil, evil)
    card = Card(evil, {evil: evil}, {evil: {}}, Certificate((check,)).to_json())
    return Potential(terms, elements=[1, 8], card=card)


def hostile_atoms(evil: str) -> Atoms:
    atoms = WATER.copy()
    atoms.info |= {"level": evil, "comment": evil, evil: evil, "subset": evil}
    return atoms


def evaluation(evil: str) -> Evaluation:
    energy = np.array([[1.0, 1.1], [2.0, 2.1]])
    numbers = np.array([1, 8])
    return Evaluation(
        energy, np.array([[[1.0, 1.1]] * 3] * 2), np.array([1, 1]), numbers, (evil, evil + "2")
    )


def diagnosis(evil: str) -> Diagnosis:
    made = pd.DataFrame(
        {
            "elements": [evil],
            "order": [2],
            "r1_A": [1.0],
            "r2_A": [np.nan],
            "angle_deg": [np.nan],
            "energy_eV": [0.1],
            "std_eV": [0.2],
            "determined": [False],
            "physical": [True],
        }
    )
    empty = np.zeros((1, 3))
    return Diagnosis(made, empty.astype(int), empty, np.zeros((1, 2)), 0.1, evil)


def truth(evil: str) -> QuantumTruth:
    row = {"frame": 0, "molecules": 2, "fragments": (0, 1), "order": 2, "quantum": 1.0}
    rows = pd.DataFrame([row | {"potential": 1.1, "quantum_force": 0.1, "force_error": 0.01}])
    return QuantumTruth(evil, 2, rows)


def report_of_fit(evil: str) -> FitReport:
    scan = pd.DataFrame({"ridge": [1e-6], "validation_error": [1.0]})
    shares = pd.DataFrame({"energy": [1.0]}, index=[evil])
    return FitReport(potential_of(evil), scan, {evil: evaluation(evil)}, 1.0, [], shares)


def drivers(evil: str) -> Drivers:
    share = pd.Series({evil: 0.5, "b": 0.5})
    return Drivers(share, share, share, evil, evil, 9)


def faithfulness(evil: str) -> Faithfulness:
    curves = {name: np.ones(2) for name in (evil, "explanation", "random", "distance")}
    return Faithfulness(im.Energy(), evil, np.array([0.0, 1.0]), curves, curves, evil)


def page(evil: str) -> Report:
    made = Report(evil)
    made.heading(evil)
    made.text(evil)
    made.table(pd.DataFrame({evil: [evil]}, index=[evil]))
    inside = Report(evil)
    inside.text(evil, note=True)
    made.folded(evil, inside)
    return made


def distilled(evil: str) -> im.Distilled:
    frames = [WATER.copy() for _ in range(6)]
    for number, atoms in enumerate(frames):
        atoms.rattle(0.05, seed=number)
    found = im.distil(potential_of(evil), frames, terms="pairs", progress=False)
    return replace(found, teacher=evil)


def explorer(evil: str) -> im.ForceExplorer:
    return im.ForceExplorer(potential_of(evil), [hostile_atoms(evil)] * 2)


def monitor(evil: str) -> im.FitMonitor:
    made = im.FitMonitor()
    made(FitProgress("frames", 8, 8, evaluation=evaluation(evil)))
    made(FitProgress("test", 1, 1, evaluation=evaluation(evil)))
    return made


def design_gallery(evil: str) -> im.DesignGallery:
    space = space_of("[*:1]C", {evil.replace("|", "").strip() or "a": "*F"})
    made = Evaluated((1,), "CF", 1.0, None, (evil,), {evil: molecule("CH3Cl")})
    bare = Evaluated((0,), "C", 2.0, None, (), {evil: WATER.copy()})
    return im.DesignGallery(im.Exploration(space, (made, bare), evil, "eV", evil))


#: An object of each class that shows itself, made of hostile text; a new class joins here.
GALLERY = {
    "Certificate": lambda evil: Certificate((Check(evil, evil, 1, 2, evil, evil),), evil),
    "Decomposition": lambda evil: im.decompose(potential_of(evil), hostile_atoms(evil)),
    "DesignGallery": design_gallery,
    "Diagnosis": diagnosis,
    "Distilled": distilled,
    "Drivers": drivers,
    "Evaluation": evaluation,
    "Explanation": lambda evil: replace(
        im.explain(potential_of(evil), hostile_atoms(evil), gauge="atoms"),
        gauge=evil,
        method=evil,
        context=evil,
        statement=evil,
    ),
    "Faithfulness": faithfulness,
    "FitMonitor": monitor,
    "FitReport": report_of_fit,
    "ForceExplorer": explorer,
    "GeometryLab": lambda evil: im.GeometryLab(potential_of(evil), hostile_atoms(evil)),
    "Infidelity": lambda evil: Infidelity(0.1, 0.2, evil, np.zeros((1, 1)), np.zeros((1, 1))),
    "LearnReport": lambda evil: learned(evil, report_of_fit),
    "LiveMD": lambda evil: im.LiveMD(potential_of(evil), hostile_atoms(evil)),
    "MethodTable": lambda evil: MethodTable({evil: [evil]}, index=[evil]),
    "PotentialInspector": lambda evil: im.PotentialInspector(potential_of(evil)),
    "QuantumTruth": truth,
    "Report": page,
    "Sensitivity": lambda evil: Sensitivity(0.1, 0.2),
    "Trajectory": lambda evil: trajectory_of(potential_of(evil), hostile_atoms(evil), evil),
    **RESULTS,
}

#: Classes that only others derive from, or that write no HTML.
ABSTRACT = {"Panel", "Shown", "Checkpoint", "SealedLines", "Kept", "Shots"}


def classes() -> dict[str, type]:
    """All classes of the package that show themselves, or write or export a file."""
    found = {}
    for module in pkgutil.walk_packages(interpmd.__path__, "interpmd."):
        for name, cls in vars(importlib.import_module(module.name)).items():
            if inspect.isclass(cls) and cls.__module__ == module.name:
                own = [base for base in cls.__mro__ if base.__module__.startswith("interpmd")]
                ways = (*WAYS, "export_html", "write")
                if any(way in vars(base) for base in own for way in ways):
                    found[name] = cls
    return found


class Tags(HTMLParser):
    """Tags and attributes that a browser would see."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.handlers, self.text = [], [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on")]

    def handle_comment(self, data):
        self.tags.append(f"<!--{data}")

    def handle_data(self, data):
        self.text += data


def pages_of(shown: object, folder: Path) -> list[str]:
    """All HTML that an object makes."""
    pages = []
    for way in WAYS:
        if (made := getattr(shown, way, None)) is not None:
            bundle = made()
            data = bundle[0] if isinstance(bundle, tuple) else bundle
            data = data if isinstance(data, dict) else {"text/html": data}
            pages += [text for kind, text in data.items() if kind in ("text/html", "image/svg+xml")]
    for child in children_of(shown):
        if type(child).__name__ in ("HTML", "HTMLMath", "Picture"):
            pages.append(child.value)
    for way in ("export_html", "write"):
        # a trajectory writes structures
        if (made := getattr(shown, way, None)) and not isinstance(shown, im.Trajectory):
            pages.append(Path(made(folder / "page.html")).read_text(encoding="utf-8"))
    return [text for text in pages if text]


def children_of(widget: object) -> list[object]:
    children = list(getattr(widget, "children", ()))
    return children + [far for child in children for far in children_of(child)]


def test_every_class_that_shows_itself_is_in_the_gallery():
    assert set(classes()) - ABSTRACT == set(GALLERY)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", GALLERY)
def test_hostile_text_is_shown_and_never_obeyed(name, tmp_path):
    harmless = [Tags(text) for text in pages_of(GALLERY[name]("harmless"), tmp_path)]
    for evil in ("<!--<script>", " ".join(HOSTILE)):
        made = [Tags(text) for text in pages_of(GALLERY[name](evil), tmp_path)]
        assert len(made) == len(harmless)
        for tags, usual in zip(made, harmless, strict=True):
            assert tags.tags == usual.tags, evil
            assert tags.handlers == usual.handlers == []
    assert harmless or name == "Sensitivity"


@pytest.mark.parametrize("evil", HOSTILE)
def test_what_is_escaped_reads_as_it_was(evil):
    assert Tags(escaped(evil)).text == evil
    assert json.loads(in_script({evil: [evil]})) == {evil: [evil]}
    assert not set("<>&") & set(in_script(evil))
    frame = pd.DataFrame({evil: [evil]}, index=pd.Index([evil], name=evil))
    assert Tags(table(frame)).tags == Tags(table(frame.map(len).set_axis(["a"], axis=1))).tags


def test_headings_of_tables_break_where_words_end():
    made = table(pd.DataFrame({"force_rmse_meV/A": ["a_b"]}))
    assert "<th>force_<wbr>rmse_<wbr>meV/A</th>" in made and "<td>a_b</td>" in made


def test_markup_is_not_escaped_twice():
    inner = markup("<b>{}</b>", "<i>")
    assert inner == "<b>&lt;i&gt;</b>"
    assert isinstance(inner, Markup)
    assert joined([inner, "<u>"], "\n") == "<b>&lt;i&gt;</b>\n&lt;u&gt;"
    assert markup("{x}{}", inner, x="&") == "&amp;<b>&lt;i&gt;</b>"


TAG = re.compile(r"</?[a-z][a-z0-9]*[\s>/]")


def unescaped(source: str) -> list[int]:
    """Lines where text is put between tags without `markup`, or tables and escapes are made."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            words = [part.value for part in node.values if isinstance(part, ast.Constant)]
            if len(words) < len(node.values) and any(TAG.search(word) for word in words):
                lines.append(node.lineno)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
            sides = [side for side in (node.left, node.right) if isinstance(side, ast.Constant)]
            if any(isinstance(side.value, str) and TAG.search(side.value) for side in sides):
                lines.append(node.lineno)
        elif isinstance(node, ast.Attribute) and node.attr in ("to_html", "escape"):
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            if node.attr == "to_html" or owner == "html":
                lines.append(node.lineno)
    return lines


def test_all_html_is_made_in_one_place():
    home = Path(interpmd.__file__).parent
    found = {
        str(path.relative_to(home)): lines
        for path in home.rglob("*.py")
        if path.name != "markup.py" and (lines := unescaped(path.read_text()))
    }
    assert found == {}


@pytest.mark.parametrize(
    "source", ["f'<b>{x}</b>'", "'<b>' + x", "'<td>%s' % x", "t.to_html()", "html.escape(x)"]
)
def test_the_lock_sees_what_it_forbids(source):
    assert unescaped(source) == [1]
    assert unescaped("markup('<b>{}</b>', x) + f'{x} < 3 and x > {y}'") == []
