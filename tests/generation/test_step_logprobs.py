"""Which tokens belong to which step."""

import math

import pytest
from helpers.tiny import make_tokenizer

from memreason.generation.samples import Token
from memreason.generation.step_logprobs import step_logprobs
from memreason.planning_tokens.layout import FRONT, PLAN_FIRST, PlanningTokens
from memreason.planning_tokens.parse import leading_marks

PLAIN = PlanningTokens()
AT_FRONT = PlanningTokens(1, 0, (), FRONT)
PLANNED = PlanningTokens(1, 1, ("memory", "reason"), PLAN_FIRST)
EACH = PlanningTokens(1, 1, ("memory", "reason"))


@pytest.mark.parametrize(
    ("layout", "text", "lines"),
    [
        (PLAIN, "A fact.\nSo.\nThe answer is: True", [0, 1, 2]),
        (PLAIN, "A fact.\n\nSo.\nThe answer is: True\nmore", [0, 2, 3]),
        (PLAIN, "A fact.\nSo", [0, 1, None]),
        (PLAIN, "<think>\nwell\n</think>\nA fact.\nThe answer is: True", [None, None]),
        (AT_FRONT, "<prefix_0> A fact.\nSo.\nThe answer is: True", [0, 1, 2]),
        (EACH, "<prefix_0><memory_0> A fact.\n<prefix_0><answer_0> The answer is: True", [0, 1]),
        (PLANNED, "<prefix_0><memory_0><reason_0><answer_0>\nA fact.\n\nSo.\nThe answer is: True", [1, 3, 4]),
        (PLANNED, "<prefix_0><memory_0><reason_0><answer_0>\nThe answer is: no\nSo.\nThe answer is: True", [1, 2, 3]),
    ],
)  # fmt: skip
def test_each_step_has_the_mean_of_its_line(layout: PlanningTokens, text: str, lines: list[int | None]) -> None:
    tokenizer = make_tokenizer(bos=False)
    tokens, line = [], 0
    for id in tokenizer.encode(text, add_special_tokens=False):
        tokens.append(Token(id, -float(line)))
        line += tokenizer.decode([id]).count("\n")
    found = step_logprobs(layout, lambda id: tokenizer.decode([id]), text, "", tokens)
    assert [None if mean is None else -round(mean) for mean in found] == lines
    assert all(mean is None or math.isclose(mean, round(mean)) for mean in found)


def test_what_was_given_has_none() -> None:
    tokenizer = make_tokenizer(bos=False)
    given, rest = "A fact.\n", "So.\nThe answer is: True"
    tokens = [Token(id, -1.0) for id in tokenizer.encode(rest, add_special_tokens=False)]
    assert step_logprobs(PLAIN, lambda id: tokenizer.decode([id]), given + rest, given, tokens) == (None, -1.0, -1.0)


WORDS = PlanningTokens(0, 0, ("memory", "reason"), words=True)


@pytest.mark.parametrize(
    ("layout", "given", "rest"),
    [
        (EACH, "", "<prefix_0><memory_0> A fact.\n<prefix_0><answer_0> The answer is: True"),
        (EACH, "<prefix_0>", "<memory_0> A fact.\n<prefix_0><answer_0> The answer is: True"),
        (WORDS, "", "[memory] A fact.\n[answer] The answer is: True"),
        (WORDS, "[memo", "ry] A fact.\n[answer] The answer is: True"),
        (AT_FRONT, "", "<prefix_0> A fact.\nThe answer is: True"),
    ],
)
def test_what_marks_a_line_does_not_count(layout: PlanningTokens, given: str, rest: str) -> None:
    tokenizer = make_tokenizer(bos=False)
    text = given + rest
    marks = leading_marks(text, layout.marks)[len(given) :]
    tokens = [Token(id, -9.0) for id in tokenizer.encode(marks, add_special_tokens=False)]
    line, *others = rest[len(marks) :].split("\n")
    tokens += [Token(id, -1.0) for id in tokenizer.encode(line + "\n", add_special_tokens=False)]
    for line in others:
        marks = leading_marks(line, layout.marks)
        tokens += [Token(id, -9.0) for id in tokenizer.encode(marks, add_special_tokens=False)]
        tokens += [Token(id, -2.0) for id in tokenizer.encode(line[len(marks) :], add_special_tokens=False)]
    assert step_logprobs(layout, lambda id: tokenizer.decode([id]), text, given, tokens) == (-1.0, -2.0)
