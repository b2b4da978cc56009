"""Editing a trace: what the model wrote before the first change stays, id by id."""

from dataclasses import replace
from pathlib import Path

import pytest
from helpers.tiny import SOLUTIONS

from memreason.config.ablations import AblationConfig
from memreason.config.model import ModelConfig
from memreason.errors import UserError
from memreason.generation.decoding import Decoding
from memreason.generation.edit import cut, edit, ids_of
from memreason.generation.engine import Engine
from memreason.generation.request import Request
from memreason.models.build import build
from memreason.models.unit import ModelUnit
from memreason.records import Step, Trace

SOLUTION = SOLUTIONS[1]
MEMORY, REASON = SOLUTION.steps
OTHER = Step("memory", "The capital of France is Rome.")
LAYOUTS: dict[str, tuple[dict, AblationConfig]] = {
    "typed": ({"num_general_prefix_tokens": 1, "num_special_prefix_tokens": 2}, AblationConfig()),
    "front": ({}, AblationConfig(only_at_front=True)),
    "none": ({"parameter_efficient_mode": "lora", "add_soft_prompts": False}, AblationConfig()),
    "words": ({"parameter_efficient_mode": "lora"}, AblationConfig(add_hard_prompts=True)),
}


@pytest.fixture(scope="module")
def units(bases: dict[str, Path]) -> dict[str, ModelUnit]:
    return {
        name: build(ModelConfig(model_name_or_path=str(bases["tied"]), dtype="float32", **options), 128, 0, ablations)
        for name, (options, ablations) in LAYOUTS.items()
    }


def written(unit: ModelUnit, text: str | None = None) -> Trace:
    """The solution as a model writes it, or another text of it."""
    text = unit.layout.solution_text(SOLUTION.steps, "False") if text is None else text
    return unit.layout.parse(SOLUTION.question, text)


def told(unit: ModelUnit, ids: tuple[int, ...]) -> str:
    return unit.tokenizer.decode(ids)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_text_has_the_ids_of_training(units: dict[str, ModelUnit], name: str) -> None:
    unit = units[name]
    encoded = unit.layout.encode(unit.tokenizer, SOLUTION)
    expected = tuple(encoded.ids[encoded.prompt_length : -1])
    trace = written(unit)
    assert ids_of(unit, trace) == expected
    assert ids_of(unit, replace(trace, well_formed=False)) == expected  # piece by piece
    assert ids_of(unit, replace(trace, ids=(1, 2))) == (1, 2)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_changed_step_has_the_ids_of_training_behind_those_that_were_there(
    units: dict[str, ModelUnit], name: str
) -> None:
    unit = units[name]
    trace, steps = written(unit), written(unit).steps
    for at, step in enumerate(steps):
        new = replace(step, text="Something else.")
        edited = edit(unit, trace, {at: new.text})
        assert edited.steps == (*steps[:at], new)
        assert edited.ids == tuple(unit.layout.encode_steps(unit.tokenizer, edited.steps))
        assert edited.request(Decoding(seed=3)) == Request(trace.question, (), edited.ids, Decoding(seed=3))


def test_ids_that_training_would_not_give_stay_as_they_are(units: dict[str, ModelUnit]) -> None:
    unit = units["typed"]
    # The first memory letter by letter, as a model may write it.
    letters = [unit.tokenizer.convert_tokens_to_ids(token) for token in "The"]
    ids = ids_of(unit, written(unit))
    space = unit.tokenizer.encode(" ", add_special_tokens=False)
    first = unit.tokenizer.encode(" The", add_special_tokens=False)
    assert list(ids[2 : 2 + len(first)]) == first
    odd = (*ids[:2], *space, *letters, *ids[2 + len(first) :])
    trace = replace(written(unit), ids=odd)
    line = len(odd) - len(ids) + len(unit.layout.encode_steps(unit.tokenizer, [MEMORY]))
    edited = edit(unit, trace, {1: "Something else."})
    assert edited.ids[:line] == odd[:line] and edited.kept == line
    assert edit(unit, trace, {0: MEMORY.text}).ids == odd[:line]  # no change
    assert edit(unit, trace, {0: None}).ids != odd[:line]
    put = edit(unit, trace, insert={0: [OTHER], 1: [OTHER]})
    assert put.steps == (OTHER, MEMORY, OTHER) and put.kept == 0
    assert told(unit, odd[:line]) in told(unit, put.ids) and set(space) & {*put.ids}


@pytest.mark.parametrize("name", LAYOUTS)
def test_an_answer_goes_on_from_before_any_of_its_steps(units: dict[str, ModelUnit], name: str) -> None:
    unit = units[name]
    engine = Engine(unit)
    trace = replace(written(unit), ids=None)
    for at in (0, 1, 2):
        request = cut(unit, trace, at)
        assert request.generated == tuple(unit.layout.encode_steps(unit.tokenizer, trace.steps[:at]))
    handles = [engine.submit(Request(SOLUTION.question))]
    engine.run()
    whole = handles[0].wait()[0].trace
    assert whole.ids
    handles = [engine.submit(cut(unit, whole, at)) for at in range(len(whole.steps) or 1)]
    engine.run()
    assert {handle.wait()[0].trace.ids for handle in handles} == {whole.ids}


def test_a_removed_step_is_followed_by_what_followed_it(units: dict[str, ModelUnit]) -> None:
    unit = units["typed"]
    trace = written(unit, unit.layout.solution_text((MEMORY, OTHER, REASON), "False"))
    reason, answer = (
        unit.tokenizer.convert_tokens_to_ids(unit.layout.special(type_)) for type_ in ("reason", "answer")
    )
    first = edit(unit, trace, {0: None})
    assert first.steps == (OTHER,)
    assert first.ids == (*unit.layout.encode_steps(unit.tokenizer, [OTHER]), *reason)
    assert edit(unit, trace, {1: None}).ids == (*unit.layout.encode_steps(unit.tokenizer, [MEMORY]), *reason)
    assert edit(unit, trace, {2: None}).ids[-2:] == tuple(answer)
    assert edit(unit, trace, {0: None, 1: "So."}).steps == (Step("memory", "So."),)
    untyped = units["none"]
    rest = edit(untyped, written(untyped), {0: None})
    assert [step.text for step in rest.steps] == [REASON.text]
    assert told(untyped, rest.ids) == f"{REASON.text}\n"


def test_odd_traces_can_be_edited_too(units: dict[str, ModelUnit]) -> None:
    typed, none = units["typed"], units["none"]
    unmarked = written(typed, "<prefix_0><memory_0><memory_1> A.\n\n<reason_0> B\n The answer is: no")
    assert told(typed, edit(typed, unmarked, {1: "C"}).ids).endswith(
        "<prefix_0><reason_0><reason_1> C\n<prefix_0>"
    )  # the prefix that is missing is written
    # Where nothing changes, none is written: the answer goes on as it did.
    ids = ids_of(typed, unmarked)
    for same in ({0: "A."}, {0: "A.", 1: "B"}):
        edited = edit(typed, unmarked, same)
        assert edited.ids == ids[: edited.kept] and len(edited.steps) == len(same)
    assert told(typed, cut(typed, unmarked, 1).generated) == "<memory_0><memory_1> A.\n\n"
    cut_off = written(typed, "<prefix_0><memory_0><memory_1> A")
    assert edit(typed, cut_off, insert={1: [OTHER]}).ids == tuple(
        typed.layout.encode_steps(typed.tokenizer, [Step("memory", "A"), OTHER])
    )
    assert edit(typed, written(typed), {}).ids == ()
    bare = written(typed, "<prefix_0> A\n<prefix_0><reason_0><reason_1> B\nThe answer is: no")
    assert told(typed, edit(typed, bare, {0: "C", 1: "D"}).ids) == " C\n<prefix_0><reason_0><reason_1> D\n<prefix_0>"
    empty = written(none, "")
    assert edit(none, empty, insert={0: [Step("step", "A")]}).ids == tuple(none.tokenizer.encode("A\n"))
    joined = none.tokenizer.encode("A.", add_special_tokens=False)
    none.tokenizer.add_tokens(["\nSo"])  # a token across the end of a line
    across = (*joined, none.tokenizer.convert_tokens_to_ids("\nSo"), *none.tokenizer.encode(" it is."))
    trace = replace(written(none, "A.\nSo it is.\nThe answer is: no"), ids=across)
    assert told(none, cut(none, trace, 1).generated) == "A.\n"
    assert told(none, edit(none, trace, {1: "B"}).ids) == "A.\nB\n"


@pytest.mark.parametrize(
    ("text", "edits", "message"),
    [
        (None, {2: "So."}, "no step 2 in its answer; it has the steps 0 to 1"),
        (None, {-1: "So."}, "no step -1"),
        ("", {0: "So."}, "it has no steps"),
        (None, {1: "two\nlines"}, "step 2: its text must be one line"),
        (None, {1: " "}, "step 2: its text must be one line, and not empty"),
        (None, {0: Step("guess", "So.")}, "step 1: the type 'guess' is none of memory, reason"),
        (None, {0: "a <memory_0> b"}, "contains the planning token <memory_0>"),
        ("<think>\nwell\n</think>\nA fact.\nThe answer is: True", {0: "So."}, "holds thoughts beside its steps"),
    ],
)
def test_what_cannot_be_edited_is_refused(
    units: dict[str, ModelUnit], text: str | None, edits: dict, message: str
) -> None:
    unit = units["typed"]
    with pytest.raises(UserError, match=message):
        edit(unit, written(unit, text), edits)


def test_a_plan_cannot_be_edited(bases: dict[str, Path]) -> None:
    config = ModelConfig(model_name_or_path=str(bases["tied"]), dtype="float32")
    unit = build(config, 128, 0, AblationConfig(plan_first=True))
    with pytest.raises(UserError, match="begins with a plan of all its steps"):
        edit(unit, written(unit), {0: "So."})
    with pytest.raises(UserError, match="begins with a plan of all its steps"):
        cut(unit, written(unit), 1)
