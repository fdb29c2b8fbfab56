"""Kernels of the notebooks under test: one thread each, which is faster for small tensors."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
