"""Draws that do not depend on which tests ran before."""

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def same_draws(request: pytest.FixtureRequest) -> None:
    """Each test finds its module's generator as it is at first."""
    if rng := getattr(request.module, "RNG", None):
        rng.bit_generator.state = np.random.default_rng(0).bit_generator.state
