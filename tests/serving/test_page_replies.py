"""What the page is told while an answer is written, whatever the layout of its text."""

from dataclasses import replace
from pathlib import Path

import pytest
from helpers.tiny import SOLUTIONS
from helpers.units import config

from memreason.generation.request import Request
from memreason.generation.samples import Token
from memreason.models.build import build
from memreason.planning_tokens.layout import PLACEMENTS
from memreason.serving.page_orders import PageReader
from memreason.serving.page_replies import PageWriter
from memreason.serving.replies import TokenTexts


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_what_is_told_adds_up_to_the_trace(bases: dict[str, Path], placement: str) -> None:
    unit = build(config(bases["tied"], "none"), 200)
    unit.manifest = replace(unit.manifest, planning_tokens=replace(unit.layout, placement=placement))
    reader, solution = PageReader(unit, 8), SOLUTIONS[1]
    encoded = unit.layout.encode(unit.tokenizer, solution)
    ids = encoded.ids[encoded.prompt_length : -1]
    trace = reader.trace(solution.question, ids)
    assert trace.answer == "False"
    for given in (0, 1, 5, len(ids)):
        request = Request(solution.question, generated=tuple(ids[:given]))
        writer = PageWriter(reader, TokenTexts(unit.tokenizer), request)
        events = [writer.take()]
        for id in ids[given:]:
            writer.add(Token(id, -1.0))
            events.append(writer.take())
        steps: dict[int, dict[str, object]] = {}
        for event in events:
            for step in event["steps"]:
                steps[step["index"]] = step
        assert [id for event in events for id in event["ids"]] == ids
        told = [(steps[i]["type"], steps[i]["text"]) for i in range(len(steps))]
        assert told in ([(step.type, step.text) for step in trace.steps], [])  # a plan alone has no texts
        means = [steps[i]["logprob"] for i in range(len(steps))]
        assert set(means) <= ({None} if given == len(ids) else {-1.0, None} if given == 5 else {-1.0})
        if placement in ("each_step", "front"):
            assert given != 5 or means == [None, -1.0]  # of a step that is half given, nothing is said
            assert told and events[-1]["answer"] == trace.answer
