"""Products of many columns, which a few threads of OpenBLAS cannot share."""

from __future__ import annotations

import numpy as np
import scipy.linalg
from frames_of_methanol import ISOLATED, SMALL, frames
from threadpoolctl import threadpool_info, threadpool_limits

import interpmd as im
from interpmd.fitting import threads
from interpmd.fitting.threads import SHARE, as_many_as_fit


def counts() -> set[int]:
    """Threads of the library that scipy calls; others may have been built for one."""
    found = [each for each in threadpool_info() if each["user_api"] == "blas"]
    own = [each for each in found if "scipy" in each["filepath"]] or found
    return {max(each["num_threads"] for each in own)}


def test_one_thread_where_the_shares_of_several_do_not_fit():
    with threadpool_limits(2, user_api="blas"):
        for columns, expected in ((SHARE, {2}), (14_900, {2}), (20_000, {1}), (40_000, {1})):
            with as_many_as_fit(columns):
                assert counts() == expected
            assert counts() == {2}
    with threadpool_limits(1, user_api="blas"), as_many_as_fit(40_000):
        assert counts() == {1}


def test_every_product_and_factorisation_of_a_fit_has_one_thread_there(monkeypatch):
    options = {"ridge": 1e-6, "spec": SMALL | {"least_rows": 1e-3}, "progress": False}
    seen = []

    def watched(name, call):
        def wrapper(*args, **keywords):
            seen.append((name, *counts()))
            return call(*args, **keywords)

        return wrapper

    with threadpool_limits(2, user_api="blas"):
        whole = im.fit([*frames(12), *ISOLATED], **options).potential
        monkeypatch.setattr(threads, "SHARE", 10)
        for library, name in ((scipy.linalg.blas, "dsyrk"), (scipy.linalg.lapack, "dpotrf")):
            monkeypatch.setattr(library, name, watched(name, getattr(library, name)))
        alone = im.fit([*frames(12), *ISOLATED], **options).potential
    assert set(seen) == {("dsyrk", 1), ("dpotrf", 1)}
    atoms = frames(1, 5)[0]
    found, expected = (p.predict(atoms).forces.numpy() for p in (alone, whole))
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()
