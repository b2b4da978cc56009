"""From solutions to examples: nothing is cut, and what is left out is named."""

from pathlib import Path

import pytest
from helpers.tiny import SOLUTIONS
from transformers import AutoTokenizer

from memreason.errors import UserError
from memreason.planning_tokens.layout import PlanningTokens
from memreason.records import Question, Solution, Step
from memreason.training.encoding import encode_solutions

LONG = Solution(Question("long", "Is Rome old?", "True"), (Step("memory", "Rome is " + "very " * 200 + "old."),))
BARE = Solution(Question("bare", "Is Rome old?", "True"))


@pytest.fixture
def tokenizer(bases: dict[str, Path]):
    return AutoTokenizer.from_pretrained(bases["untied"])


def test_what_is_too_long_is_left_out_whole_and_reported(tokenizer) -> None:
    examples, report = encode_solutions([*SOLUTIONS, LONG, BARE], PlanningTokens(), tokenizer, 128)
    assert len(examples) == report.examples == len(SOLUTIONS)
    assert (report.too_long, report.without_steps) == (("long",), ("bare",))
    text = "\n".join(report.lines(128))
    assert "1 solutions longer than --model_max_length 128" in text and "long" in text and "bare" in text


def test_nothing_left_to_train_on_is_an_error(tokenizer) -> None:
    with pytest.raises(UserError, match=r"1 are longer than --model_max_length 128, 1 have no steps"):
        encode_solutions([LONG, BARE], PlanningTokens(), tokenizer, 128)
