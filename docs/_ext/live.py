"""Directives whose content is asked of the package or read from its docstrings when the
documentation is built, so that it cannot go stale.

{gauges-table}      what "absent" can mean in an explanation, a line each
{methods-table}     the methods of explanation, a line each
{methods}           a section for each, with what it says of itself
{guarantees}        the guarantees that a method may give
{checks}            the groups of checks of a certificate
{pages}             table of contents of pages that need not be there
{public-names}      reference of the public names that live in some modules
{command-line}      help of the command `interpmd`
{terms}             the terms that a potential can have
"""

from __future__ import annotations

import inspect
import logging
import warnings
from fnmatch import fnmatch
from functools import lru_cache
from importlib import import_module
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import interpmd as im

ROOT = Path(__file__).parents[2]


def markdown_table(header: list[str], rows: list[list[str]]) -> list[str]:
    """A table in Markdown."""
    escaped = [[cell.replace("|", r"\|").replace("\n", " ") for cell in row] for row in rows]
    lines = [header, ["---"] * len(header), *escaped]
    return ["| " + " | ".join(line) + " |" for line in lines]


def home(name: str) -> str:
    """Module in which a public name is defined."""
    thing = getattr(im, name)
    return thing.__name__ if inspect.ismodule(thing) else thing.__module__


@lru_cache
def words_of_methods() -> dict[str, tuple[str, str]]:
    """Badge and statement of every method, as its explanation of a small cluster carries them."""
    from interpmd.attribution.methods.registry import METHODS
    from interpmd.errors import MethodError
    from interpmd.potentials import StillingerWeber
    from interpmd.trust.benchmark import cluster

    potential = im.Potential([StillingerWeber.example()])
    atoms, found = cluster(5, 0, False), {}
    logging.getLogger("shap").setLevel(logging.WARNING)
    for name in METHODS:
        for target in (im.Energy(), im.Force(0, along=1)):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    made = im.explain(potential, atoms, target, method=name)
            except MethodError:
                continue
            found[name] = made.certificate().badge, made.statement
            break
        else:
            raise LookupError(f"no question that {name} answers")
    return found


class Markdown(SphinxDirective):
    """A directive that writes Markdown."""

    def lines(self) -> list[str]:
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        return self.parse_text_to_nodes("\n".join(self.lines()), allow_section_headings=True)


class GaugesTable(Markdown):
    """All gauges, a line each."""

    def lines(self) -> list[str]:
        columns = ["absent means", "rows", "exact for"]
        rows = [[f"`{name}`", *map(str, g[columns])] for name, g in im.gauges().iterrows()]
        return markdown_table(["gauge", *columns], rows)


class MethodsTable(Markdown):
    """All methods, a line each."""

    def lines(self) -> list[str]:
        return markdown_table(
            ["method", "guarantees", "exact", "cost"],
            [
                [f"[`{name}`](#method-{name})", m.guarantees, "yes" if m.exact else "no", m.cost]
                for name, m in im.methods().iterrows()
            ],
        )


class Methods(Markdown):
    """All methods, a section each."""

    def lines(self) -> list[str]:
        from interpmd.attribution.methods.registry import METHODS

        lines: list[str] = []
        for name, about in METHODS.items():
            options = [
                f"`{p.name}={p.default!r}`"
                for p in inspect.signature(about.run).parameters.values()
                if p.default is not p.empty
            ]
            source = Path(inspect.getsourcefile(about.run)).relative_to(ROOT)
            first = (inspect.getdoc(about.run) or "").split("\n\n")[0].replace("\n", " ")
            badge, statement = words_of_methods()[name]
            models = "any model" if about.models == "any" else "interpmd potentials"
            lines += [
                "",
                f"(method-{name})=",
                f"### `{name}`",
                "",
                f"*{about.computes}*",
                "",
                f"- **Fact and convention.** {statement}",
                f"- **Guarantees:** {', '.join(about.guarantees) or 'nothing'}. Its certificate "
                f"says {badge} (Stillinger-Weber, five atoms).",
                f"- **Explains** {models}; contexts: {', '.join(about.contexts)}; "
                f"cost: {about.cost}"
                + (f"; options: {', '.join(options)}" if options else "")
                + (f"; needs {about.needs}" if about.needs else "")
                + ".",
                f"- **Code:** `{source}`. {first}",
            ]
        return lines


class Guarantees(Markdown):
    def lines(self) -> list[str]:
        from interpmd.attribution.methods.registry import AXIOMS

        return markdown_table(
            ["guarantee", "meaning"], [[f"**{n}**", m] for n, m in AXIOMS.items()]
        )


class Checks(Markdown):
    def lines(self) -> list[str]:
        from interpmd.attribution.certificate import GROUPS

        return markdown_table(["group", "checks"], [[f"**{n}**", m] for n, m in GROUPS.items()])


class Terms(Markdown):
    def lines(self) -> list[str]:
        import interpmd.trust.truth  # noqa: F401 (registers one as a counter-example)
        from interpmd.potentials.base import TERMS

        rows = []
        for kind, term in TERMS.items():
            summary = inspect.getdoc(term).split("\n\n")[0].replace("\n", " ")
            order = term.example().body_order
            source = Path(inspect.getsourcefile(term)).relative_to(ROOT / "interpmd")
            rows.append([f"`{kind}`", f"{summary}<br>`{source}`", str(order or "all atoms")])
        return markdown_table(["kind", "what, and where in `interpmd/`", "body order"], rows)


class PublicNames(SphinxDirective):
    """Reference of the public names that live in the rooms given."""

    required_arguments = 1
    optional_arguments = 99

    def run(self) -> list[nodes.Node]:
        lines = []
        for name in im.__all__:
            if self.within(home(name), self.arguments):
                lines += self.entry(name)
        return self.parse_text_to_nodes("\n".join([".. py:currentmodule:: interpmd", "", *lines]))

    @staticmethod
    def within(module: str, prefixes: list[str]) -> bool:
        return any(f"{module}.".startswith(f"{prefix}.") for prefix in prefixes)

    @staticmethod
    def entry(name: str) -> list[str]:
        thing = getattr(im, name)
        if inspect.ismodule(thing):
            summary = inspect.getdoc(thing).partition("\n")[0]
            inside = [f".. autofunction:: {thing.__name__}.{n}" for n in thing.__all__]
            return [f".. py:data:: {name}", "", f"   {summary}", "", *inside, ""]
        if inspect.isclass(thing) and issubclass(thing, Exception):
            return [f".. autoexception:: interpmd.{name}", ""]
        if not inspect.isclass(thing):
            return [f".. autofunction:: interpmd.{name}", ""]
        lines = [f".. autoclass:: interpmd.{name}", "   :members:"]
        # shapes in annotations ("atoms 3") would be taken for a property of that name
        return [*lines, "   :exclude-members: atoms, forward, training", ""]


class Pages(Markdown):
    """A table of contents of the pages that match a pattern, less those named; perhaps of none."""

    required_arguments = 1
    optional_arguments = 99
    option_spec = {"hidden": directives.flag}

    def lines(self) -> list[str]:
        pattern, *others = self.arguments
        depth = pattern.count("/")
        found = [n for n in self.env.found_docs if fnmatch(n, pattern) and n.count("/") == depth]
        names = sorted(set(found) - {*others, self.env.docname})
        hidden = [":hidden:"] if "hidden" in self.options else []
        if not names:
            return []
        return ["```{toctree}", ":maxdepth: 1", *hidden, "", *(f"/{n}" for n in names), "```"]


class CommandLine(Markdown):
    def lines(self) -> list[str]:
        from typer.main import get_command

        app, lines = get_command(import_module("interpmd.cli").app), []
        for name, command in app.commands.items():
            given = [p.name.upper() for p in command.params if p.param_type_name == "argument"]
            usage = " ".join(["[OPTIONS]", *given])
            lines += [
                "",
                f"### `interpmd {name}`",
                "",
                (command.help or "").replace("\n", " "),
                "",
                f"```console\n$ interpmd {name} {usage}\n```",
                "",
            ]
            rows = []
            for parameter in command.params:
                record = getattr(parameter, "help", None) or ""
                argument = parameter.param_type_name == "argument"
                options = [parameter.name.upper()] if argument else parameter.opts
                names = ", ".join(f"`{option}`" for option in options)
                default = parameter.default
                shown = "" if default is None or callable(default) else f"`{default}`"
                rows.append([names, record, shown])
            if rows:
                lines += markdown_table(["argument", "what", "default"], rows)
        return lines


def setup(app: Sphinx) -> dict:
    for name, directive in {
        "gauges-table": GaugesTable,
        "methods": Methods,
        "methods-table": MethodsTable,
        "guarantees": Guarantees,
        "checks": Checks,
        "terms": Terms,
        "pages": Pages,
        "public-names": PublicNames,
        "command-line": CommandLine,
    }.items():
        app.add_directive(name, directive)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
