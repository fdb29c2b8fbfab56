"""How many threads may share a product of many columns.

OpenBLAS gives each thread a share of the triangle of X^T X, and copies the columns of its share
into a buffer of fixed size without looking whether they fit: of 20,000 columns two threads write
beyond it, and the process dies. One thread takes any number of columns, piece by piece.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import ThreadpoolController

#: Columns of the widest share that fit: 12,000 were seen to, 14,100 were not.
SHARE = 10_600


@contextmanager
def as_many_as_fit(columns: int) -> Iterator[None]:
    """Within it one thread multiplies triangles, where the shares of several would not fit.

    Args:
        columns: of the triangle.
    """
    if columns <= SHARE:
        yield
        return
    libraries = ThreadpoolController().select(user_api="blas")
    threads = max((each["num_threads"] for each in libraries.info()), default=1)
    # the widest of so many shares of equal areas
    one = threads > 1 and columns > SHARE * threads**0.5
    with libraries.limit(limits=1 if one else None):
        yield


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Within it products have one thread each, as several of them are made side by side."""
    with ThreadpoolController().limit(limits=1, user_api="blas"):
        yield
