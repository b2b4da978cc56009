"""How the threads of a matrix product wait for each other: said to OpenMP before torch loads it.

As it comes, a thread that has done its part keeps its core busy for milliseconds, looking for the next part. With
another program on that core the others wait for it while it does nothing, and a product by two threads takes four
times as long as on an idle machine instead of twice. So threads look for a moment, which bridges the gap between two
products, and then sleep.
"""

from __future__ import annotations

import os
import sys

SETTINGS = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "20000",  # GNU's, which PyTorch's builds for Linux use: rounds of looking
    "KMP_BLOCKTIME": "0",  # LLVM's and Intel's: milliseconds
}
"""Environment variables that OpenMP reads once, when it is loaded."""


def wait_considerately() -> None:
    """Set what is not set already. Without effect once torch is loaded."""
    if "torch" not in sys.modules:
        for name, value in SETTINGS.items():
            os.environ.setdefault(name, value)
