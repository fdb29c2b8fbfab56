"""Calling machine code by its address from functions that numba compiles."""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

#: How the kernels are compiled: kept on disk by numba, sums reordered, other threads let run.
OPTIONS = {
    "cache": True,
    "fastmath": True,
    "nogil": True,
    "error_model": "numpy",
    "boundscheck": False,
}


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
