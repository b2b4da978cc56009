"""The engine: requests come at any time, and no answer depends on what is decoded beside it."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers.tiny import SHAPES, SOLUTIONS

from memreason.config.model import ModelConfig
from memreason.errors import UserError
from memreason.generation.answer import generate
from memreason.generation.decoding import Decoding
from memreason.generation.engine import Engine
from memreason.generation.options import GenerationOptions
from memreason.generation.request import Answer, Request
from memreason.generation.samples import Token
from memreason.generation.stream import TextPieces, stream
from memreason.models.build import build
from memreason.models.unit import ModelUnit
from memreason.records import Question, Step

QUESTIONS = [s.question for s in SOLUTIONS] + [Question("long", "Is Paris, the city of light, in Italy?", "False")]
LONG = Question("long", "Is Paris, the city of light, in Italy or rather in France, whose capital it is?", "False")
BACKENDS = ("auto", "transformers")
WARM = Decoding(temperature=1.5, seed=3)


@pytest.fixture(scope="module")
def units(bases: dict[str, Path]) -> dict[str, ModelUnit]:
    return {shape: build(ModelConfig(model_name_or_path=str(bases[shape]), dtype="float32"), 64) for shape in SHAPES}


@pytest.fixture
def unit(units: dict[str, ModelUnit]) -> ModelUnit:
    return units["tied"]


def answers(unit: ModelUnit, requests: list[Request], size: int = 64, backend: str = "auto") -> list[list[Answer]]:
    engine = Engine(unit, GenerationOptions(size, backend=backend))
    handles = [engine.submit(request) for request in requests]
    engine.run()
    return [handle.wait() for handle in handles]


def ids(answer: Answer) -> list[int]:
    return [token.id for token in answer.tokens]


@pytest.mark.parametrize("backend", BACKENDS)
def test_greedy_answers_are_those_of_generate(unit: ModelUnit, backend: str) -> None:
    found = answers(unit, [Request(question) for question in QUESTIONS], 3, backend)
    assert [one.trace for (one,) in found] == generate(unit, QUESTIONS)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_drawn_depends_on_the_seed_and_the_request_alone(unit: ModelUnit, backend: str) -> None:
    requests = [Request(question, decoding=WARM) for question in QUESTIONS]
    together = [ids(one) for (one,) in answers(unit, requests, backend=backend)]
    assert [ids(one) for (one,) in answers(unit, requests[::-1], 2, backend)][::-1] == together
    assert [ids(answers(unit, [request], backend=backend)[0][0]) for request in requests] == together
    other = [Request(question, decoding=Decoding(temperature=1.5, seed=4)) for question in QUESTIONS]
    assert [ids(one) for (one,) in answers(unit, other, backend=backend)] != together


def test_both_ways_of_decoding_draw_the_same(units: dict[str, ModelUnit]) -> None:
    decoding = Decoding(temperature=0.8, top_p=0.9, top_k=40, min_p=0.01, n=2, seed=1)
    requests = [Request(question, decoding=decoding) for question in QUESTIONS[:3]]
    ours, theirs = (answers(units["padded"], requests, 4, backend) for backend in BACKENDS)
    assert [[ids(one) for one in few] for few in ours] == [[ids(one) for one in few] for few in theirs]


def test_samples_of_one_request_differ_and_a_prompt_is_read_once(unit: ModelUnit) -> None:
    read: list[int] = []
    hook = unit.model.get_input_embeddings().register_forward_pre_hook(lambda _, inputs: read.append(inputs[0].numel()))
    request = Request(LONG, decoding=Decoding(temperature=1.0, n=8, max_new_tokens=2))
    try:
        answers(unit, [request])  # after this, nothing is tried out any more
        read.clear()
        (few,) = answers(unit, [request])
    finally:
        hook.remove()
    prompt = len(unit.layout.encode_prompt(unit.tokenizer, LONG))
    assert read[0] == prompt and sum(read) < 2 * prompt  # the others read the last token of the prompt only
    assert len({tuple(ids(one)) for one in few}) > 1
    assert [one.sample for one in few] == list(range(8))


def test_an_answer_that_has_ended_is_not_read_again_where_it_is_continued(unit: ModelUnit) -> None:
    read: list[int] = []
    hook = unit.model.get_input_embeddings().register_forward_pre_hook(lambda _, inputs: read.append(inputs[0].numel()))
    try:
        with Engine(unit) as engine:
            whole = engine.submit(Request(LONG))
            engine.run()
            read.clear()
            given = [tuple(ids(whole.wait()[0])[:at]) for at in (9, 4)]
            again = [engine.submit(Request(LONG, generated=some)) for some in given]
            engine.run()
    finally:
        hook.remove()
    assert {handle.wait()[0].trace.text for handle in again} == {whole.wait()[0].trace.text}
    assert read[0] < 10  # one that goes on in its own place, beside one that gets a copy


def test_a_lower_share_of_a_prompt_can_be_copied(unit: ModelUnit) -> None:
    read: list[int] = []
    prompt = len(unit.layout.encode_prompt(unit.tokenizer, LONG))
    steps = [(Step("memory", f"{city}."),) for city in ("Rome", "Lyon")]
    requests = [Request(LONG, steps=some, decoding=Decoding(max_new_tokens=1)) for some in steps]
    found: list[tuple[int, set[str]]] = []
    hook = unit.model.get_input_embeddings().register_forward_pre_hook(lambda _, inputs: read.append(inputs[0].numel()))
    try:
        for share in (0.99, 0.99, 0.3):  # in the first pass of all, the model is tried out
            with Engine(unit, GenerationOptions(least_shared=share)) as engine:
                read.clear()
                handles = [engine.submit(request) for request in requests]
                engine.run()
                found.append((sum(read), {handle.wait()[0].trace.text for handle in handles}))
    finally:
        hook.remove()
    (_, first), (whole, second), (less, third) = found
    assert first == second == third and whole - less >= prompt


@pytest.mark.parametrize("backend", BACKENDS)
def test_log_probabilities_are_those_of_a_plain_pass(units: dict[str, ModelUnit], backend: str) -> None:
    decoding = Decoding(temperature=0.7, seed=5, logprobs=True, top_logprobs=3)
    for unit in units.values():
        for (one,) in answers(unit, [Request(question, decoding=decoding) for question in QUESTIONS], 3, backend):
            prompt = unit.layout.encode_prompt(unit.tokenizer, one.trace.question)
            with torch.no_grad(), unit.merged() as model:
                logits = model(torch.tensor([[*prompt, *ids(one)]])).logits[0, len(prompt) - 1 : -1]
            expected = logits.log_softmax(-1)
            for token, row in zip(one.tokens, expected, strict=True):
                assert token.logprob == pytest.approx(float(row[token.id]), abs=1e-4)
                assert [id for id, _ in token.top] == row.topk(3).indices.tolist()
                assert [value for _, value in token.top] == pytest.approx(row.topk(3).values.tolist(), abs=1e-4)


def test_the_mean_of_each_step_goes_into_the_trace(unit: ModelUnit) -> None:
    steps = (Step("memory", "The capital of France is Paris."), Step("reason", "Paris is Paris."))
    text = unit.layout.solution_text(steps, "True")
    written = unit.tokenizer.encode(text, add_special_tokens=False)[2:]  # the prompt ends with the prefix tokens
    request = Request(QUESTIONS[0], generated=tuple(written[:4]), decoding=Decoding(logprobs=True))
    ((one,),) = answers(unit, [request])
    assert one.trace.step_logprobs is not None
    assert len(one.trace.step_logprobs) == len(one.trace.steps) + 1
    first_line = []
    for token in one.tokens:
        first_line.append(token.logprob)
        if "\n" in unit.tokenizer.decode([token.id]):
            break
    assert one.trace.step_logprobs[0] == pytest.approx(sum(first_line) / len(first_line))  # type: ignore[arg-type]
    assert answers(unit, [Request(QUESTIONS[0])])[0][0].trace.step_logprobs is None


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_an_answer_that_is_continued_goes_on_as_it_did(units: dict[str, ModelUnit], shape: str, backend: str) -> None:
    unit = units[shape]
    whole = [one for (one,) in answers(unit, [Request(question) for question in QUESTIONS])]
    for at in (1, 5, 17):
        requests = [Request(one.trace.question, generated=tuple(ids(one)[:at])) for one in whole]
        for (rest,), one in zip(answers(unit, requests, 3, backend), whole, strict=True):
            assert rest.trace.text == one.trace.text and ids(rest) == ids(one)[at:]


def test_steps_are_continued_as_they_stand_in_training_texts(unit: ModelUnit) -> None:
    solution = SOLUTIONS[0]
    encoded = unit.layout.encode(unit.tokenizer, solution)
    for count in range(len(solution.steps) + 1):
        prompt = unit.layout.encode_prompt(unit.tokenizer, solution.question)
        prompt += unit.layout.encode_steps(unit.tokenizer, solution.steps[:count])
        assert encoded.ids[: len(prompt)] == prompt
    ((one,),) = answers(unit, [Request(solution.question, steps=solution.steps)])
    assert one.trace.steps[: len(solution.steps)] == solution.steps


@pytest.mark.parametrize(
    ("steps", "error"),
    [
        ((Step("guess", "Paris."),), "step 1: the type 'guess' is none of memory, reason"),
        ((Step("memory", "Paris."), Step("reason", " ")), "step 2: its text must be one line"),
        ((Step("memory", "Paris\nis."),), "step 1: its text must be one line"),
        ((Step("memory", "Paris <memory_0>."),), "contains the planning token <memory_0>"),
    ],
)
def test_steps_that_no_solution_has_are_refused(unit: ModelUnit, steps: tuple[Step, ...], error: str) -> None:
    with pytest.raises(UserError, match=error):
        Engine(unit).submit(Request(QUESTIONS[0], steps=steps))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_text_that_ends_an_answer_is_not_a_part_of_it(unit: ModelUnit, backend: str) -> None:
    ((whole,),) = answers(unit, [Request(QUESTIONS[0])])
    stop = whole.trace.text[30:33]
    ((cut,),) = answers(unit, [Request(QUESTIONS[0], decoding=Decoding(stop=(stop,)))], backend=backend)
    start = len("".join(unit.layout.prefix))
    assert cut.trace.text == whole.trace.text[: whole.trace.text.index(stop, start)]
    assert cut.finish_reason == "stop" and len(cut.tokens) < len(whole.tokens)


def test_the_most_new_tokens_end_an_answer(unit: ModelUnit) -> None:
    ((one,),) = answers(unit, [Request(QUESTIONS[0], decoding=Decoding(max_new_tokens=3))])
    assert (one.completion_tokens, one.finish_reason, one.trace.truncated) == (3, "length", True)


def test_who_joins_later_changes_nothing(unit: ModelUnit) -> None:
    expected = [trace.text for trace in generate(unit, QUESTIONS)]
    engine = Engine(unit, GenerationOptions(3))
    handles = []
    for question in QUESTIONS:
        handles.append(engine.submit(Request(question)))
        engine.step()
        engine.step()
    engine.run()
    assert [handle.wait()[0].trace.text for handle in handles] == expected


@pytest.mark.parametrize("backend", BACKENDS)
def test_who_is_cancelled_gives_its_place_to_others(unit: ModelUnit, backend: str) -> None:
    expected = [trace.text for trace in generate(unit, QUESTIONS)]
    engine = Engine(unit, GenerationOptions(1, backend=backend))
    with engine:
        told: list[Token] = []
        first = engine.submit(Request(QUESTIONS[0]), lambda _, token: told.append(token) or first.cancel())
        waits = engine.submit(Request(QUESTIONS[1]))
        third = engine.submit(Request(QUESTIONS[2]))
        waits.cancel()
        while not third.done:
            engine.step()
        assert (engine.under_way, engine.waiting) == (0, 0)
    (one,), (two,) = first.wait(), waits.wait()
    assert (one.finish_reason, two.finish_reason) == ("cancelled", "cancelled")
    assert 0 < len(told) < 5 and expected[0].startswith(one.trace.text) and two.tokens == ()
    assert third.wait()[0].trace.text == expected[2]


def test_many_threads_may_ask(unit: ModelUnit) -> None:
    expected = {trace.question.id: trace.text for trace in generate(unit, QUESTIONS)}
    engine, stopping = Engine(unit, GenerationOptions(4)), threading.Event()
    found: dict[str, str] = {}

    def ask(question: Question) -> None:
        found[question.id] = engine.submit(Request(question)).wait(60)[0].trace.text

    server = threading.Thread(target=engine.serve, args=(stopping,))
    server.start()
    threads = [threading.Thread(target=ask, args=(question,)) for question in QUESTIONS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stopping.set()
    server.join()
    assert found == expected


def test_what_breaks_the_engine_reaches_all_who_wait(unit: ModelUnit) -> None:
    engine = Engine(unit, GenerationOptions(1))

    def broken(sample: int, token: Token) -> None:
        raise RuntimeError("broken")

    handles = [engine.submit(Request(question), broken) for question in QUESTIONS[:3]]
    with pytest.raises(RuntimeError, match="broken"):
        engine.run()
    for handle in handles:
        with pytest.raises(RuntimeError, match="broken"):
            handle.wait()
    assert [trace.text for trace in generate(unit, QUESTIONS[:1])]  # and the model is free again


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("where", ["on_token", "on_end", "the pass"])
def test_nobody_waits_for_ever_wherever_it_broke(unit: ModelUnit, where: str, backend: str) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    engine = Engine(unit, GenerationOptions(2, backend=backend))
    decoding = Decoding(max_new_tokens=1)
    callbacks = {where: broken} if where != "the pass" else {}
    handles = [engine.submit(Request(question, decoding=decoding), **callbacks) for question in QUESTIONS[:3]]  # type: ignore[arg-type]
    hook = unit.model.get_input_embeddings().register_forward_pre_hook(broken) if not callbacks else None
    try:
        with pytest.raises((RuntimeError, UserError), match="broken"):
            engine.run()
    finally:
        if hook:
            hook.remove()
    assert all(handle.done for handle in handles)


def test_an_unusual_request_harms_nobody(unit: ModelUnit) -> None:
    (expected,) = generate(unit, QUESTIONS[:1])
    engine = Engine(unit)
    plain = engine.submit(Request(QUESTIONS[0]))
    for options in ({"temperature": 1e-40}, {"temperature": 1e30}, {"temperature": 1.0, "top_k": 10**400}):
        engine.submit(Request(QUESTIONS[0], decoding=Decoding(**options)))  # type: ignore[arg-type]
    for ids_ in ((10**6,), (-1,)):
        with pytest.raises(UserError, match="generated: the ids of this model's tokens"):
            engine.submit(Request(QUESTIONS[0], generated=ids_))
    engine.run()
    assert plain.wait()[0].trace == expected


def test_one_model_serves_one_engine_at_a_time_in_a_thread(unit: ModelUnit) -> None:
    with Engine(unit) as engine:
        first = engine.submit(Request(QUESTIONS[0]))
        engine.run()
        with pytest.raises(UserError, match="in use by an engine of the same thread"):
            generate(unit, QUESTIONS[:1])
        again = engine.submit(Request(QUESTIONS[0]))
        engine.run()
    assert again.wait()[0].trace == first.wait()[0].trace == generate(unit, QUESTIONS[:1])[0]


def test_engines_of_two_models_step_in_turn_in_one_thread(units: dict[str, ModelUnit]) -> None:
    expected = [generate(unit, QUESTIONS[:2]) for unit in units.values()]
    engines = [Engine(unit) for unit in units.values()]
    handles = [[engine.submit(Request(question)) for question in QUESTIONS[:2]] for engine in engines]
    while [engine.step() for engine in engines].count(True):
        pass
    assert [[handle.wait()[0].trace for handle in few] for few in handles] == expected


def test_a_sampled_answer_goes_on_as_it_did_too(unit: ModelUnit) -> None:
    ((whole,),) = answers(unit, [Request(QUESTIONS[0], decoding=WARM)])
    ((rest,),) = answers(unit, [Request(QUESTIONS[0], generated=tuple(ids(whole)[:7]), decoding=WARM)])
    assert ids(rest) == ids(whole)[7:]
    assert (rest.prompt_tokens, rest.completion_tokens) == (whole.prompt_tokens + 7, whole.completion_tokens - 7)


def test_the_stream_of_an_answer_ends_where_its_trace_does(unit: ModelUnit) -> None:
    ((whole,),) = answers(unit, [Request(QUESTIONS[0])])
    request = Request(QUESTIONS[0], decoding=Decoding(stop=(whole.trace.text[30:34], "nowhere")))
    ((one,),) = answers(unit, [request])
    assert "".join(stream(Engine(unit), request)) == one.trace.text


def test_a_question_without_room_for_a_well_formed_answer_gives_an_empty_trace(
    unit: ModelUnit, caplog: pytest.LogCaptureFixture
) -> None:
    long = replace(QUESTIONS[0], id="long")
    while len(unit.layout.encode_prompt(unit.tokenizer, long)) < unit.manifest.model_max_length - 4:
        long = replace(long, text=f"{long.text}?")
    questions = [QUESTIONS[0], long, replace(long, id="longer")]  # a batch of one, and two without room
    one, *others = generate(unit, questions, GenerationOptions(1, decoding=Decoding(constrained=True)))
    assert one.well_formed and [(other.text, other.truncated) for other in others] == [("", True)] * 2
    assert "question long is not answered: max_new_tokens" in caplog.text


def test_a_model_is_as_it_was_when_nothing_is_left_to_do(unit: ModelUnit) -> None:
    before = {name: tensor.clone() for name, tensor in unit.model.state_dict().items()}
    answers(unit, [Request(QUESTIONS[0])])
    assert all(torch.equal(tensor, before[name]) for name, tensor in unit.model.state_dict().items())
    assert unit.model.config._attn_implementation == "sdpa"


def test_a_stream_of_ids_becomes_text_character_by_character(unit: ModelUnit) -> None:
    text = "<memory_0> Zürich – 東京 🗼\nParis is in France."
    encoded = unit.tokenizer.encode(text, add_special_tokens=False)
    pieces = TextPieces(unit.tokenizer)
    given = [pieces.add(id) for id in encoded]
    assert "".join([*given, pieces.rest()]) == text == unit.tokenizer.decode(encoded)
    assert not any("\ufffd" in piece for piece in given)


@pytest.mark.parametrize(
    "options",
    [{"temperature": -1}, {"temperature": float("nan")}, {"top_p": 0}, {"top_p": 1.1}, {"top_k": -1}, {"min_p": 2},
     {"n": 0}, {"max_new_tokens": 0}, {"stop": ("",)}, {"stop": "text"}, {"top_logprobs": -1}],
)  # fmt: skip
def test_impossible_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(UserError, match=next(iter(options))):
        Decoding(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("backend", BACKENDS)
def test_constrained_answers_of_an_untrained_model_are_well_formed(units: dict[str, ModelUnit], backend: str) -> None:
    decoding = Decoding(temperature=2.0, n=4, constrained=True)
    choice = Question("choice", "Where is Paris?", "B", ("in Italy", "in France"))
    for unit in units.values():
        engine = Engine(unit, GenerationOptions(16, backend=backend), "mixed")
        handles = [engine.submit(Request(question, decoding=decoding)) for question in (*QUESTIONS[:3], choice)]
        engine.run()
        for handle in handles:
            for one in handle.wait():
                assert one.trace.well_formed and one.finish_reason == "stop"
                assert one.trace.answer in (("A", "B") if one.trace.question is choice else ("True", "False"))


def test_constraints_keep_what_a_model_would_write_anyway(unit: ModelUnit) -> None:
    """What is drawn is drawn from all tokens first, so only what is not allowed becomes something else."""
    free = answers(unit, [Request(QUESTIONS[0], decoding=Decoding(temperature=1.0, n=8, seed=2))])[0]
    engine = Engine(unit)
    handle = engine.submit(Request(QUESTIONS[0], decoding=Decoding(temperature=1.0, n=8, seed=2, constrained=True)))
    engine.run()
    known = {unit.tokenizer.convert_tokens_to_ids(f"<{type_}_0>") for type_ in ("memory", "reason")}
    for before, after in zip(free, handle.wait(), strict=True):
        assert ids(after)[0] in known
        if ids(before)[0] in known:
            assert ids(before)[0] == ids(after)[0]


@pytest.mark.parametrize("type_", ["memory", "reason"])
@pytest.mark.parametrize("constrained", [False, True])
def test_the_type_of_the_next_step_can_be_chosen(unit: ModelUnit, type_: str, constrained: bool) -> None:
    decoding = Decoding(next_type=type_, constrained=constrained)
    for steps in ((), SOLUTIONS[0].steps[:1]):
        ((one,),) = answers(unit, [Request(SOLUTIONS[0].question, steps=steps, decoding=decoding)])
        assert one.trace.steps[len(steps)].type == type_


def test_what_cannot_be_constrained_is_refused(unit: ModelUnit) -> None:
    for decoding, error in (
        (Decoding(next_type="guess"), "guess"),
        (Decoding(constrained=True, max_new_tokens=2), "max_new_tokens 2"),
    ):
        with pytest.raises(UserError, match=error):
            Engine(unit).submit(Request(QUESTIONS[0], decoding=decoding))
    with pytest.raises(UserError, match="shots"):
        Engine(unit, GenerationOptions(shots="?")).submit(Request(QUESTIONS[0], decoding=Decoding(constrained=True)))
