"""The explorer as a widget: the state in the kernel, the picture in the browser."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import traitlets as t
from ase import Atoms

from interpmd.attribution.explanation import Explanation
from interpmd.attribution.gauges.base import Gauge
from interpmd.attribution.gauges.choice import GAUGES
from interpmd.attribution.named_atoms import atom_of
from interpmd.dynamics import Trajectory
from interpmd.dynamics.observables.coordinates import CoordinateLike
from interpmd.errors import InterpmdError, QuestionError, ViewerError
from interpmd.structures.coordinates import Coordinates
from interpmd.structures.groups import Grouping
from interpmd.units import DISPLAY, number_sign, unit_sign
from interpmd.views.explorer import browser
from interpmd.views.explorer.answers import Answer
from interpmd.views.explorer.comparison import Beside, Comparison
from interpmd.views.explorer.export import contributions, save
from interpmd.views.explorer.frame_map import FrameMap, frame_map
from interpmd.views.explorer.numbers import AtomNumber, FrameNumber, Whole
from interpmd.views.explorer.page import write_page
from interpmd.views.explorer.picture import View, image
from interpmd.views.explorer.questions import GROUPINGS, TARGETS, Question
from interpmd.views.explorer.scene import scene_of
from interpmd.views.explorer.state import State
from interpmd.views.nglview_adapter import empty_stage
from interpmd.views.toolkit import anywidget, widgets

#: Interactions that are listed and drawn at first: what can be taken in at a glance.
SHOWN = 5
#: Seconds without a change after which error bars of forces are computed.
AT_REST = 0.3


class ForceExplorer(anywidget.AnyWidget):
    """See which interactions make a force, an energy or a torque, frame by frame.

    Click an atom (or press n and p) to ask what pushes it. Bars add up to the force, and each is
    drawn as a line in the molecule. Every number comes from `interpmd.explain`; it is computed when
    it is first looked at, and kept.

    Args:
        potential: what `explain` takes: a Potential, an ASE calculator, or a `TorchModel`.
        trajectory: a `Trajectory`, a list of `ase.Atoms` of one structure, or one structure.
        gauge: what "absent" means, by name (then an attribute that can be changed), or one that
            is ready, as `interpmd.groups_of` makes them; chosen by the system if None.
        models: other models to put beside this one, by name.
        coordinates: for the map of all frames, by name: two, three or four atoms, a function of a
            structure, or a number for each frame; see `free_energy`.
        choices: first values of the attributes below.

    Attributes:
        frame: index of the frame shown; first the one where the force on the atom is largest.
        target: "force", "fragment" (the net force on the molecule, residue or group of the atom;
            see `fragment_around`), "along" (the force along a line to `other`), "energy" or
            "torque" (about the middle bond of `dihedral`).
        atom: the chosen atom (given by index or name, "H8"); first the one with the largest force.
        grouping: "interaction", "pair", "kind", "fragment", "order" or "term".
        gauge: one of `interpmd.gauges()`; None: as `interpmd.explain` chooses by the system and
            the target. The answer names it.
        method: one of `interpmd.methods()` that suits the gauge; None: that of the gauge.
        order: largest number of players in a row; None for all, "auto": as the gauge has it.
        reference: number of a frame from which the difference is explained, or None.
        unit: display unit of energies, "eV", "meV", "kcal/mol" or "kJ/mol".
        shown: number of interactions that are listed and drawn; the others are one bar.
        beside: what the answer is put beside, row by row: "frame 3", "gauge atoms", "method
            shapley", "model ..." (a name of `models`), or None.

    Raises:
        FramesError: no frames, or frames with different atoms.
        ModelError: the model gives no energies and forces.
        QuestionError, TargetError: there is no such choice.
        ArgumentError: there is no such frame.
        traitlets.TraitError: no such target, grouping or unit.
        The same where an attribute is set later; what was shown stays.

    Example:
        >>> from ase import Atoms
        >>> import interpmd as im
        >>> from interpmd.potentials import LennardJones
        >>> argon = im.Potential([LennardJones(epsilon=0.0104, sigma=3.40, cutoff=8.5)])
        >>> dimer = Atoms("Ar2", [[0, 0, 0], [0, 0, 3.4]])
        >>> explorer = im.ForceExplorer(argon, dimer, atom=1)  # in a notebook: show it
        >>> round(explorer.answer.total, 4)  # eV/Å
        0.0734
    """

    _esm = browser.source("viewer_ngl.js", "widget.js")
    _css = browser.read("explorer.css")

    view = t.Instance(widgets.Widget, allow_none=True).tag(
        sync=True, **widgets.widget_serialization
    )
    scene = t.Dict().tag(sync=True)
    positions = t.Bytes().tag(sync=True)
    forces = t.Bytes().tag(sync=True)

    frame = FrameNumber(0).tag(sync=True)
    target = t.Enum(list(TARGETS), "force").tag(sync=True)
    atom = AtomNumber(0).tag(sync=True)
    other = AtomNumber(None, allow_none=True).tag(sync=True)
    dihedral = t.List(Whole(), None, allow_none=True).tag(sync=True)
    grouping = t.Enum(list(GROUPINGS), "interaction").tag(sync=True)
    gauge = t.Enum(list(GAUGES), None, allow_none=True).tag(sync=True)
    method = t.Unicode(None, allow_none=True).tag(sync=True)
    order = t.Union([t.Int(), t.Enum(["auto"])], default_value="auto", allow_none=True).tag(
        sync=True
    )
    reference = Whole(None, allow_none=True).tag(sync=True)
    unit = t.Enum(list(DISPLAY), "eV").tag(sync=True)
    shown = Whole(SHOWN).tag(sync=True)
    beside = t.Unicode(None, allow_none=True).tag(sync=True)

    def __init__(
        self,
        potential: Any,
        trajectory: Trajectory | Sequence[Atoms] | Atoms,
        gauge: str | Gauge | Grouping | Coordinates | None = None,
        models: Mapping[str, Any] | None = None,
        coordinates: Mapping[str, CoordinateLike] | None = None,
        **choices: Any,
    ) -> None:
        ready = None if gauge is None or isinstance(gauge, str) else gauge
        self.state = State(potential, trajectory, ready, models)
        if gauge is not None:
            choices["gauge"] = gauge if isinstance(gauge, str) else self.state.given
        own = {"frame", "unit", "shown", "beside"}
        unknown = set(choices) - set(Question.__dataclass_fields__) - own
        if unknown:
            raise TypeError(f"ForceExplorer has no option {', '.join(sorted(unknown))}")
        self.state.check_frame(choices.get("frame", 0))
        for name in {"atom", "other"} & set(choices):
            if isinstance(choices[name], str):
                choices[name] = atom_of(choices[name], self.state.frames[0])
        self._coordinates, self._map = coordinates, None
        if coordinates:  # what does not fit is said at once
            self._map = frame_map(self.state, coordinates)
        self._task: asyncio.Task | None = None
        self._doubt: asyncio.Task | None = None
        self._compared: asyncio.Task | None = None
        self._doubted: tuple[Question, int] | None = None
        if "frame" not in choices and choices.get("target") not in ("energy", "torque"):
            other = choices.get("other") if choices.get("target") == "along" else None
            frame, atom = self.state.opened(choices.get("atom"), other)
            choices = {"frame": frame, "atom": atom, **choices}
        trouble, view = "", None
        try:
            view = empty_stage()
        except ViewerError as error:
            trouble = str(error)
        places = np.stack([atoms.positions for atoms in self.state.frames])
        super().__init__(
            view=view,
            scene={**scene_of(self.state), "trouble": trouble},
            positions=places.astype("<f4").tobytes(),
            forces=self.state.stored_forces().astype("<f4").tobytes(),
            **choices,
        )
        self.state.settled(self.question, self.frame)
        self.on_msg(self._heard)
        self.observe(self._doubt_later, names=["frame", *Question.__dataclass_fields__])

    @t.validate("beside")
    def _check_beside(self, proposal: Any) -> str | None:
        words = proposal["value"] or None
        if words is not None:
            Beside.of(words, len(self.state), tuple(self.state.others))
        return words

    @property
    def question(self) -> Question:
        """The question that the controls show."""
        return Question(
            target=self.target,
            atom=self.atom,
            other=self.other,
            dihedral=None if self.dihedral is None else tuple(self.dihedral),
            grouping=self.grouping,
            method=self.method,
            order=self.order,
            gauge=self.gauge,
            reference=self.reference,
        )

    @property
    def answer(self) -> Answer:
        """The bars and lines that are shown; computed if they are not there yet."""
        return self.state.answer(self.question, self.frame)

    @property
    def comparison(self) -> Comparison:
        """The answer beside what `beside` says, row by row; `to_frame` makes a table of it.

        Raises:
            QuestionError: nothing is chosen.
        """
        if self.beside is None:
            raise QuestionError('choose first what to put beside: explorer.beside = "frame 0"')
        return self.state.comparison(self.question, self.frame, self.beside, error_bars=True)

    @property
    def explanation(self) -> Explanation:
        """What `interpmd.explain` says about the frame that is shown."""
        return self.state.explanation(self.question, self.frame, error_bars=True)

    @property
    def frame_map(self) -> FrameMap:
        """Coordinates of all frames, those of the map; `to_frame` makes a table of them."""
        if self._map is None:
            self._map = frame_map(self.state, self._coordinates)
        return self._map

    # --- talking to the browser ----------------------------------------------------------

    def _heard(self, _: Any, content: dict[str, Any], __: Any) -> None:
        try:
            question = Question.of_json(content["question"])
        except (InterpmdError, KeyError, ValueError) as error:
            self._send_error(content, str(error))
            return
        if content.get("ask") == "frame":
            try:
                self._send_answer(question, int(content["frame"]), content["key"])
                self._doubt_later()
            except (InterpmdError, ImportError) as error:
                self._send_error(content, str(error))
        elif content.get("ask") == "comparison":
            self._send_comparison(question, content)
            self._compare_later(question, content)
        elif content.get("ask") == "map":
            self.send({"answer": "map", "content": self.frame_map.to_json()})
        elif content.get("ask") == "all":
            if self._task is not None:
                self._task.cancel()
            self._task = asyncio.get_running_loop().create_task(self._all(question, content))

    async def _all(self, question: Question, content: dict[str, Any]) -> None:
        """One frame after the other, so that the kernel answers questions in between."""
        count = len(self.state)
        for frame in range(count):
            try:
                self._send_answer(question, frame, content["key"])
            except (InterpmdError, ImportError) as error:
                self._send_error(content, str(error))
                return
            words = f"{frame + 1} of {count} frames" if frame + 1 < count else ""
            self.send({"answer": "progress", "words": words})
            await asyncio.sleep(0.005)

    def _doubt_later(self, _: Any = None) -> None:
        """Error bars that take time follow when nobody has changed anything for a while.

        Only those of the frame and question that are shown, since the browser also asks ahead.
        """
        try:
            shown = (self.question.settled(self.state.frames[self.frame]), self.frame)
        except InterpmdError:  # the answer itself says why there is none
            return
        if shown == self._doubted:
            return
        if self._doubt is not None:
            self._doubt.cancel()
        self._doubted = shown

        async def send() -> None:
            await asyncio.sleep(AT_REST)
            with contextlib.suppress(InterpmdError):
                if self.state.late(shown[0]):
                    self._send_answer(*shown, None, error_bars=True)

        with contextlib.suppress(RuntimeError):  # no loop where nobody looks
            self._doubt = asyncio.get_running_loop().create_task(send())

    def _send_answer(
        self, question: Question, frame: int, key: str | None, error_bars: bool = False
    ) -> None:
        content = self.state.answer(question, frame, error_bars).to_json()
        question = question if key else question.settled(self.state.frames[frame])
        self.send({"answer": "frame", "key": key, "question": vars(question), "content": content})

    def _send_comparison(
        self, question: Question, content: dict[str, Any], error_bars: bool = False
    ) -> None:
        try:
            found = self.state.comparison(
                question, int(content["frame"]), str(content["beside"]), error_bars
            ).to_json()
        except (InterpmdError, ImportError) as error:
            found = {"trouble": str(error)}
        self.send({"answer": "comparison", "mark": content["mark"], "content": found})

    def _compare_later(self, question: Question, content: dict[str, Any]) -> None:
        """The same with error bars, when nothing else was put beside for a while."""
        if self._compared is not None:
            self._compared.cancel()

        async def send() -> None:
            await asyncio.sleep(2 * AT_REST)
            self._send_comparison(question, content, error_bars=True)

        with contextlib.suppress(RuntimeError):  # no loop where nobody looks
            self._compared = asyncio.get_running_loop().create_task(send())

    def _send_error(self, content: dict[str, Any], words: str) -> None:
        self.send(
            {
                "answer": "error",
                "key": content.get("key"),
                "frame": content.get("frame", self.frame),
                "words": words,
            }
        )

    # --- without a browser ---------------------------------------------------------------

    def __repr__(self) -> str:
        try:
            answer = self.answer
        except InterpmdError as error:
            return f"ForceExplorer: {error}"
        return (
            f"ForceExplorer of {self.state.frames[0].get_chemical_formula()}, "
            f"{len(self.state)} frames. Frame {self.frame}: {answer.title}, "
            f"{len(answer.bars)} contributions, sum {number_sign(answer.total, '+.4f')} "
            f"{unit_sign(answer.unit)}, gauge {answer.gauge}, {answer.verdict}"
        )

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict, dict]:
        """The widget, and for saved notebooks and converted pages a picture and a line of text."""
        data, metadata = super()._repr_mimebundle_(**kwargs)  # type: ignore[misc]
        with contextlib.suppress(InterpmdError):  # no answer: the text says why
            data["image/png"] = base64.b64encode(image(self._present_view, "png", 80)).decode()
        data["text/plain"] = repr(self)
        return data, metadata

    # --- files ---------------------------------------------------------------------------

    @property
    def _present_view(self) -> View:
        shown = (self.frame, self.scene, self.unit, self.shown, self.beside, self._coordinates)
        return View(self.state, self.question, *shown)

    def save(self, path: str | Path) -> Path:
        """Write the explorer's present view; the suffix says how.

        .png and .svg hold the picture, .gif the picture of every frame, .csv all contributions at
        the frames that were looked at, .html a page (see `export_html`).

        Raises:
            ValueError: another suffix.
        """
        return save(self._present_view, path)

    def export_html(
        self,
        path: str | Path,
        frames: Iterable[int] | None = None,
        groupings: Sequence[str] | None = None,
        title: str | None = None,
    ) -> Path:
        """Write one file that opens in any browser, offline: frames step, bars are hovered.

        All frames have error bars, and what `beside` says stands beside all of them.

        Args:
            path: of the file.
            frames: which frames, all if None; those not yet explained are computed.
            groupings: that can be chosen in the page; the present one and "kind" if None.
            title: of the page.

        Raises:
            QuestionError: an unknown grouping.
            OSError: the file cannot be written.
        """
        return write_page(self._present_view, path, frames, groupings, title)

    def to_frame(self) -> pd.DataFrame:
        """All contributions at all frames that were looked at, one line each.

        Columns: frame, time_fs (of a trajectory with times), contribution, atoms and
        value_eV or value_eV/A.
        """
        return contributions(self._present_view)
