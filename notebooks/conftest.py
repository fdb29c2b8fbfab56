"""Notebooks under test: one thread a kernel, and the folded solutions of exercises run as well.

The code blocks inside `<details>` run in the notebook's own kernel after its last cell, in their
order, each as a test of its own. They must run; what they print is not compared. What interpmd
compiles once for an installation is compiled before, as it would be said in the output of a cell.
Progress bars are not compared either.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections import defaultdict
from collections.abc import Callable
from functools import partial

import nbformat
import pytest
from execute import is_bar
from nbval.plugin import IPyNbCell, IPyNbFile

from interpmd.potentials.fast import warm_up

os.environ.setdefault("OMP_NUM_THREADS", "1")  # faster for small tensors

#: Of these kernels alone: their history is a database, and who finds it locked says so in a cell.
IPYTHON = tempfile.TemporaryDirectory(
    prefix="ipython-", ignore_cleanup_errors=True
)
os.environ["IPYTHONDIR"] = IPYTHON.name

FOLDED = re.compile(r"<details>(.*?)</details>", re.DOTALL)
CODE = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def solutions(notebook: nbformat.NotebookNode) -> list[str]:
    """Code of the folded solutions, in their order."""
    prose = "\n".join(
        c.source for c in notebook.cells if c.cell_type == "markdown"
    )
    return [
        code
        for folded in FOLDED.findall(prose)
        for code in CODE.findall(folded)
    ]


#: Seconds that an output may be on its way after its cell has ended: a busy machine takes long.
PATIENCE = 120


def compare_without_bars(
    compare: Callable[..., bool], made: list, *rest
) -> bool:
    """Whether outputs agree; which progress bars show depends on the machine."""
    return compare([output for output in made if not is_bar(output)], *rest)


class Solution(IPyNbCell):
    """A folded solution."""

    def reportinfo(self):
        """Name it in a report."""
        return self.path, 0, f"{self.path.name}::{self.name}"


class Course(IPyNbFile):
    """A notebook and the solutions of its exercises."""

    def setup(self):
        """Start a kernel that finds everything compiled."""
        warm_up(progress=False)
        super().setup()

    def collect(self):
        """Yield the cells, then the solutions."""
        for item in self._items():
            item.output_timeout = PATIENCE
            item.compare_outputs = partial(
                compare_without_bars, item.compare_outputs
            )
            yield item

    def _items(self):
        yield from super().collect()
        for number, code in enumerate(solutions(self.nb), start=1):
            yield Solution.from_parent(
                self,
                name=f"Solution {number}",
                cell_num=number,
                cell=nbformat.v4.new_code_cell(code),
                options=defaultdict(bool, check=False),
            )


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(parent):
    """Collect notebooks as `Course` instead of plain files of nbval."""
    found = yield
    return [
        Course.from_parent(parent, path=f.path)
        if type(f) is IPyNbFile
        else f
        for f in found
    ]
