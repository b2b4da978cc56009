"""The plugin for vLLM reads texts as memreason does."""

import pytest

pytest.importorskip("vllm", reason="vLLM is not installed")

from memreason.planning_tokens.layout import PlanningTokens
from memreason.records import MEMORY, REASON, Question, Step
from memreason.serving.vllm_reasoning_parser import read

STEPS = (Step(MEMORY, "Paris is in France."), Step(REASON, "The answer is near."))


@pytest.mark.parametrize("placement", ["each_step", "front", "plan_first"])
def test_whole_texts_and_all_their_beginnings(placement: str) -> None:
    layout = PlanningTokens(1, 2, (MEMORY, REASON), placement)
    text = layout.solution_text(STEPS, "True")
    trace = layout.parse(Question("q", "?", ""), text)
    assert read(text) == ("\n".join(step.text for step in trace.steps), "True")
    told = ["", ""]
    for end in range(len(text) + 1):
        now = read(text[:end], complete=False)
        assert all(new.startswith(old) for old, new in zip(told, now, strict=True))
        told = list(now)
    assert tuple(told) == read(text)
