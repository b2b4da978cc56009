"""The plugin for vLLM reads texts as memreason does. Where vLLM is not installed, empty modules stand for its own."""

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType, SimpleNamespace

import pytest

from memreason.planning_tokens.layout import PlanningTokens
from memreason.records import MEMORY, REASON, Question, Step

STEPS = (Step(MEMORY, "Paris is in France."), Step(REASON, "The answer is near."))
PLUGIN = "memreason.serving.vllm_reasoning_parser"


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    if find_spec("vllm") is None:
        protocol, parsers = "vllm.entrypoints.generate.base.protocol", "vllm.reasoning.abs_reasoning_parsers"
        for path in (protocol, parsers):
            names = path.split(".")
            for end in range(1, len(names) + 1):
                name = ".".join(names[:end])
                if name not in sys.modules:
                    monkeypatch.setitem(sys.modules, name, ModuleType(name))
        monkeypatch.setattr(sys.modules[protocol], "DeltaMessage", SimpleNamespace, raising=False)
        monkeypatch.setattr(sys.modules[parsers], "ReasoningParser", object, raising=False)
        manager = SimpleNamespace(register_module=lambda name: lambda parser: parser)
        monkeypatch.setattr(sys.modules[parsers], "ReasoningParserManager", manager, raising=False)
        monkeypatch.delitem(sys.modules, PLUGIN, raising=False)
    return import_module(PLUGIN)


@pytest.mark.parametrize("placement", ["each_step", "front", "plan_first"])
def test_whole_texts_and_all_their_beginnings(plugin: ModuleType, placement: str) -> None:
    layout = PlanningTokens(1, 2, (MEMORY, REASON), placement)
    text = layout.solution_text(STEPS, "True")
    trace = layout.parse(Question("q", "?", ""), text)
    assert plugin.read(text) == ("\n".join(step.text for step in trace.steps), "True")
    told = ["", ""]
    parser = plugin.MemreasonReasoningParser.__new__(plugin.MemreasonReasoningParser)
    streamed = ["", ""]
    for end in range(len(text) + 1):
        now = plugin.read(text[:end], complete=False)
        assert all(new.startswith(old) for old, new in zip(told, now, strict=True))
        told = list(now)
        before = text[: max(end - 1, 0)]
        if delta := parser.extract_reasoning_streaming(before, text[:end], text[end - 1 : end], [], [], []):
            streamed = [streamed[0] + (delta.reasoning or ""), streamed[1] + (delta.content or "")]
    assert tuple(told) == tuple(streamed) == plugin.read(text)
