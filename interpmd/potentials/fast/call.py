"""Kernels, which numba compiles and keeps on disk; calling machine code by its address in them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from interpmd.potentials import dense, repulsion

Function = TypeVar("Function", bound=Callable)

#: How kernels are compiled: kept on disk by numba, sums reordered, other threads let run.
OPTIONS = {
    "cache": True,
    "fastmath": True,
    "nogil": True,
    "error_model": "numpy",
    "boundscheck": False,
}


def digest_of(files: Iterable[Path]) -> str:
    """What changes when one of some files does."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


#: What kernels may contain: each other, and constants of the field.
SOURCES = digest_of(
    [*sorted(Path(__file__).parent.glob("*.py")), Path(dense.__file__), Path(repulsion.__file__)]
)


def kernel(function: Function) -> Function:
    """Compiled as `OPTIONS` say."""
    return _compiled(function, **OPTIONS)


def careful_kernel(function: Function) -> Function:
    """As `kernel`, for what asks whether numbers are finite: fast arithmetic takes it for
    granted."""
    return _compiled(function, **(OPTIONS | {"fastmath": False}))


def _compiled(function: Function, **options: Any) -> Function:
    """Kept on disk until a file changes that it may contain something of: numba itself looks at
    the file of the function alone, and would go on with other functions as they were."""
    compiled: Any = njit(**options)(function)
    if (cache := getattr(compiled, "_cache", None)) is not None:
        file = cache._cache_file
        file._source_stamp = (file._source_stamp, SOURCES)
    return compiled


@intrinsic
def call(context, address, arguments):
    """``call(address, (a, b, ...))``: a function of 64-bit integers that returns a float64.

    The arguments are numbers and addresses of arrays; numba does not know that the latter are in
    use, so that arrays behind addresses belong to the caller of the kernel.
    """

    def generate(context, builder, signature, values):
        function, packed = values
        numbers = [builder.extract_value(packed, i) for i in range(arguments.count)]
        kind = ir.FunctionType(ir.DoubleType(), [ir.IntType(64)] * arguments.count)
        return builder.call(builder.inttoptr(function, kind.as_pointer()), numbers)

    return types.float64(types.int64, arguments), generate
