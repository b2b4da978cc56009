"""Options of `memreason explain` that cannot be are refused before anything is read."""

from typing import Any

import pytest

from memreason.errors import UserError
from memreason.explain.config import ExplainConfig


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"run": ""}, "the run is missing"),
        ({"parts": ["intervention"]}, "--parts 'intervention': .* did you mean interventions"),
        ({"num_test": -1}, "--num_test -1: must be at least 0"),
        ({"samples": 0}, "--samples 0: must be at least 1"),
        ({"dtype": "fp32"}, "--dtype 'fp32': .* did you mean float32"),
    ],
)
def test_what_is_wrong_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        ExplainConfig(**options)
