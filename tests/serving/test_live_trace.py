"""What is told while an answer is written adds up to what is read from the whole."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memreason.planning_tokens.layout import EACH_STEP, PLACEMENTS, PlanningTokens
from memreason.records import MEMORY, REASON, Question, Step
from memreason.serving.live_trace import LiveTrace, News

STEPS = (Step(MEMORY, "Paris is in France."), Step(REASON, "The answer is near."), Step(REASON, "So [it] is <x>."))
QUESTION = Question("q", "?", "")


def layout(placement: str = EACH_STEP, words: bool = False) -> PlanningTokens:
    return PlanningTokens(0 if words else 1, 2, (MEMORY, REASON), placement, words)


def written(live: LiveTrace, pieces: Sequence[str]) -> list[News]:
    return [live.add(piece) for piece in pieces]


def total(news: Sequence[News]) -> tuple[str, str, tuple[Step, ...]]:
    return (
        "".join(each.reasoning for each in news),
        "".join(each.content for each in news),
        tuple(step for each in news for step in each.steps),
    )


@pytest.mark.parametrize("words", [False, True])
@pytest.mark.parametrize("placement", PLACEMENTS)
def test_character_by_character(placement: str, words: bool) -> None:
    tokens = layout(placement, words)
    text = tokens.solution_text(STEPS, "True")
    trace = tokens.parse(QUESTION, text)
    live = LiveTrace(tokens, "")
    news = [*written(live, text), live.end(trace.steps, trace.answer)]
    assert total(news) == ("\n".join(step.text for step in trace.steps if step.text), "True", trace.steps)


def test_a_step_is_told_when_its_line_is_whole_and_text_as_soon_as_its_kind_is_clear() -> None:
    tokens = layout()
    live = LiveTrace(tokens, "<prefix_0>")
    assert written(live, ["<memory_0>", "<memory_1>", " Paris is"])[-1].reasoning == "Paris is"
    assert live.add(" old.").steps == ()
    whole = live.add("\n")
    assert (whole.steps, whole.first) == ((Step(MEMORY, "Paris is old."),), 0)
    said = written(live, ["<prefix_0><answer_0><answer_1>", " The answer", " is:", " Tr", "ue"])
    assert [each.content for each in said] == ["", "", "", "Tr", "ue"] and not any(each.reasoning for each in said)


def test_nothing_behind_the_answer_line_is_told() -> None:
    text = layout().solution_text(STEPS[:1], "True") + "\n<prefix_0><memory_0><memory_1> More.\n"
    for pieces in ([text], list(text)):
        assert total(written(LiveTrace(layout(), ""), pieces)) == (STEPS[0].text, "True", STEPS[:1])


def test_what_may_begin_a_stop_text_is_held_back() -> None:
    live = LiveTrace(layout(), "<prefix_0><memory_0><memory_1>", [". No", "so"])
    assert total(written(live, [" Paris", ".", " N"]))[0] == "Paris"
    assert live.add("ice is").reasoning == ". Nice i"


LINES = st.sampled_from(
    ["<prefix_0><memory_0><memory_1> A.", "<reason_0> B", "C", "The answer is: D", "<prefix_0><answer_0> The", "<", "",
     "<prefix_0>", "[memory] E", "The answer"]
)  # fmt: skip


@given(st.lists(LINES, max_size=5), st.data())
def test_however_a_text_is_cut_into_pieces(lines: list[str], data: st.DataObject) -> None:
    text = "\n".join(lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=4)))
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    trace = layout().parse(QUESTION, text)
    live = LiveTrace(layout(), "")
    news = [*written(live, pieces), live.end(trace.steps, trace.answer)]
    expected = "\n".join(step.text for step in trace.steps if step.text)
    reasoning, content, steps = total(news)
    assert (reasoning, content, steps) == (expected, trace.answer or "", trace.steps)
