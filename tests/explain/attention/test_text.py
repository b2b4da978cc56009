"""Every token of a trace belongs to its step, and its kind is what it is for."""

from pathlib import Path

import pytest
from helpers.attributed import trace_of, unit_of

from memreason.errors import UserError
from memreason.explain.attention.text import text_of
from memreason.records import MEMORY, REASON, Trace


@pytest.mark.parametrize("shape", ["untied", "tied"])
def test_lines_are_spans_and_marks_have_kinds(shape: str, bases: dict[str, Path]) -> None:
    unit = unit_of(bases[shape])
    trace = trace_of(unit)
    text = text_of(unit, trace)
    assert [(span.name, span.type) for span in text.spans] == [
        ("first token", "start"),
        ("question", "question"),
        ("step 1", MEMORY),
        ("step 2", REASON),
        ("answer", "answer"),
    ]
    assert [span.start for span in text.spans[1:]] == [span.end for span in text.spans[:-1]]
    assert text.spans[-1].end == len(text.ids) == len(text.tokens) == len(text.kinds)
    first = text.spans[2]
    written = "".join(text.tokens[first.start : first.end])
    assert written == "<prefix_0><memory_0><memory_1> The capital of France is Paris.\n"
    assert text.kinds[first.start : first.start + 3] == ("prefix", MEMORY, MEMORY)
    assert {kind for kind, token in zip(text.kinds, text.tokens, strict=True) if token == "<prefix_0>"} == {"prefix"}
    assert text.said is not None
    assert "".join(text.tokens[place] for place in text.said).strip() == "True"
    assert {text.kinds[place] for place in text.readers} == {REASON, "answer"}


def test_without_reason_steps_all_lines_read(bases: dict[str, Path]) -> None:
    unit = unit_of(bases["tied"])
    written = "<prefix_0><memory_0><memory_1> Paris.\nstray\n<prefix_0><memory_0>"
    text = text_of(unit, unit.layout.parse(trace_of(unit).question, written, truncated=True))
    assert {text.kinds[place] for place in text.readers} >= {MEMORY}
    assert text.said is None


def test_examples_before_the_question_are_a_part_of_their_own(bases: dict[str, Path]) -> None:
    from helpers.tiny import SOLUTIONS

    unit = unit_of(bases["tied"])
    text = text_of(unit, trace_of(unit), SOLUTIONS[1:2])
    assert [span.type for span in text.spans][:3] == ["start", "examples", "question"]
    question = text.spans[2]
    assert "".join(text.tokens[question.start : question.end]).strip().endswith("Is Paris the capital of France?")


def test_an_empty_or_too_long_trace_is_refused(bases: dict[str, Path]) -> None:
    unit = unit_of(bases["tied"])
    question = trace_of(unit).question
    with pytest.raises(UserError, match="q0: nothing was generated"):
        text_of(unit, Trace(question, "", (), None, False, True, ids=()))
    with pytest.raises(UserError, match=r"q0 has .* tokens, and 512 is the most"):
        text_of(unit, trace_of(unit, times=40))
