"""What clients get: the openai client, unmodified, and plain HTTP."""

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import openai
import pytest
from helpers.serving import client, running
from helpers.tiny import SOLUTIONS

from memreason import load
from memreason.generation.decoding import Decoding
from memreason.planning_tokens.names import TOKEN
from memreason.serving.server import Server

QUESTION = SOLUTIONS[1].question.text
ASK: dict[str, Any] = {"model": "capitals", "messages": [{"role": "user", "content": QUESTION}]}
WARM = {"n": 6, "temperature": 1.2, "seed": 3, "max_tokens": 60}

Served = tuple[Server, str]


def rounded(steps: Any, tokens: Any) -> tuple[list[Any], list[Any]]:
    """Steps, and tokens with their log-probabilities, without the last digits: other rows of a batch change these."""

    def near(logprob: float | None) -> float | None:
        return None if logprob is None else round(logprob, 3)

    others = [[(other.token, near(other.logprob)) for other in token.top_logprobs] for token in tokens]
    return (
        [{**step, "logprob": near(step["logprob"])} for step in steps],
        [(token.token, near(token.logprob), top) for token, top in zip(tokens, others, strict=True)],
    )


def merged(chunks: list[Any], index: int = 0) -> dict[str, Any]:
    """The message that the chunks of a stream add up to."""
    whole: dict[str, Any] = {"content": "", "reasoning_content": "", "steps": [], "logprobs": []}
    for choice in (choice for chunk in chunks for choice in chunk.choices if choice.index == index):
        for name in ("content", "reasoning_content", "steps"):
            whole[name] += getattr(choice.delta, name, None) or whole[name][:0]
        whole["logprobs"] += choice.logprobs.content if choice.logprobs else []
        whole["finish_reason"] = choice.finish_reason
    whole["steps"], whole["logprobs"] = rounded(whole["steps"], whole["logprobs"])
    return whole


def parts(choice: Any) -> dict[str, Any]:
    message = choice.message
    steps, logprobs = rounded(message.steps, choice.logprobs.content if choice.logprobs else [])
    return {"content": message.content, "reasoning_content": message.reasoning_content, "steps": steps,
            "logprobs": logprobs, "finish_reason": choice.finish_reason}  # fmt: skip


def test_answers_are_those_of_the_reasoner(served: Served, checkpoint: Path) -> None:
    traces = load(checkpoint).answer([s.question.text for s in SOLUTIONS])
    for solution, trace in zip(SOLUTIONS, traces, strict=True):
        messages = [{"role": "user", "content": solution.question.text}]
        answer = client(served[1]).chat.completions.create(model="capitals", messages=messages)
        message = answer.choices[0].message
        assert message.content == trace.answer
        assert message.steps == [{"type": step.type, "text": step.text, "logprob": None} for step in trace.steps]
        assert message.reasoning_content == "\n".join(step.text for step in trace.steps)
        assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


@pytest.mark.parametrize("more", [{}, {"logprobs": True, "top_logprobs": 2}, {"stop": ["is", "zz"]}, WARM])
def test_a_stream_adds_up_to_the_whole_answer(served: Served, more: dict[str, Any]) -> None:
    whole = client(served[1]).chat.completions.create(**ASK, **more)
    options = {"include_usage": True}
    chunks = list(client(served[1]).chat.completions.create(**ASK, **more, stream=True, stream_options=options))
    assert [merged(chunks, i) for i in range(len(whole.choices))] == [parts(choice) for choice in whole.choices]
    assert chunks[-1].usage == whole.usage


def test_log_probabilities_are_those_of_the_engine(served: Served) -> None:
    answer = client(served[1]).chat.completions.create(**ASK, logprobs=True, top_logprobs=3).choices[0]
    tokens = answer.logprobs.content
    assert all(token.logprob == token.top_logprobs[0].logprob for token in tokens)  # greedy
    assert "".join(token.token for token in tokens).count("\n") == len(answer.message.steps)
    first = tokens[: [token.token for token in tokens].index("\n") + 1]
    first = [token.logprob for token in first if not TOKEN.fullmatch(token.token)]  # planning tokens do not count
    assert answer.message.steps[0]["logprob"] == pytest.approx(sum(first) / len(first))


def test_steps_are_continued(served: Served) -> None:
    ask = client(served[1]).chat.completions.create
    steps = [{"type": "memory", "text": "The capital of France is Rome."}]
    message = ask(**ASK, extra_body={"steps": steps}).choices[0].message
    assert message.steps[0] == {**steps[0], "logprob": None} and len(message.steps) > 1
    streamed = merged(list(ask(**ASK, extra_body={"steps": steps}, stream=True)))
    assert (streamed["steps"], streamed["content"]) == (message.steps, message.content)
    again = ask(**ASK, extra_body={"steps": message.steps}).choices[0].message
    assert (again.steps, again.content) == (message.steps, message.content)


def test_the_next_type_is_forced_and_constrained_answers_are_well_formed(served: Served) -> None:
    ask = client(served[1]).chat.completions.create
    forced = ask(**ASK, extra_body={"next_type": "reason"}).choices[0].message
    assert forced.steps[0]["type"] == "reason"
    extra = {"constrained": True, "options": ["Paris", "Rome"]}
    for choice in ask(**ASK, n=4, temperature=5.0, seed=1, extra_body=extra).choices:
        assert choice.message.content in ("A", "B") and choice.finish_reason == "stop"
        assert all(step["type"] in ("memory", "reason") for step in choice.message.steps)


def test_a_vote_gives_the_most_frequent_answer_and_the_counts(served: Served) -> None:
    ask = client(served[1]).chat.completions.create
    extra = {"vote": True}
    (choice,) = ask(**ASK, **WARM, extra_body=extra).choices
    contents = [choice.message.content for choice in ask(**ASK, **WARM).choices]
    counts = choice.message.vote["counts"]
    assert sum(counts.values()) + choice.message.vote["no_answer"] == WARM["n"]
    assert choice.message.content == next(iter(counts), "") and choice.message.content in [*contents, ""]
    streamed = merged(list(ask(**ASK, **WARM, extra_body=extra, stream=True)))
    assert streamed["content"] == choice.message.content and streamed["steps"] == choice.message.steps


def test_what_is_drawn_can_be_drawn_again(served: Served) -> None:
    ask = client(served[1]).chat.completions.create
    first = ask(**ASK, n=2, temperature=2.0, max_tokens=20)
    again = ask(**ASK, n=2, temperature=2.0, max_tokens=20, seed=first.seed)
    assert [parts(choice) for choice in first.choices] == [parts(choice) for choice in again.choices]
    assert ask(**ASK, n=2, temperature=2.0, max_tokens=20).seed != first.seed


@pytest.mark.parametrize("stop", [None, ["is"]])
def test_completions_are_the_text_with_its_planning_tokens(
    served: Served, checkpoint: Path, stop: list[str] | None
) -> None:
    questions = [s.question.text for s in SOLUTIONS[:2]]
    complete = client(served[1]).completions.create
    answer = complete(model="capitals", prompt=questions, logprobs=1, stop=stop)
    traces = load(checkpoint).answer(questions, decoding=Decoding(stop=tuple(stop or ())))
    assert [choice.text for choice in answer.choices] == [trace.text for trace in traces]
    for choice in answer.choices:
        said = choice.logprobs
        places = zip(said.text_offset, said.tokens, strict=True)
        told = [(at, token) for at, token in places if at + len(token) <= len(choice.text)]  # the rest was cut off
        assert told and all(choice.text[at:].startswith(token) for at, token in told)
    chunks = list(complete(model="capitals", prompt=questions, logprobs=1, stop=stop, stream=True))
    for index, choice in enumerate(answer.choices):
        own = [each for chunk in chunks for each in chunk.choices if each.index == index]
        assert "".join(each.text for each in own) == choice.text
        assert [at for each in own for at in each.logprobs.text_offset] == choice.logprobs.text_offset
        assert own[-1].finish_reason == choice.finish_reason


def test_the_model_is_listed_under_its_name(served: Served) -> None:
    assert [model.id for model in client(served[1]).models.list()] == ["capitals"]
    assert client(served[1]).models.retrieve("capitals").max_model_len == 200


def test_plain_http(served: Served) -> None:
    address = served[1]
    body = json.dumps({**ASK, "user": "somebody", "tools": [], "temperature": None}).encode()
    request = urllib.request.Request(f"{address}/v1/chat/completions", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert json.load(answer)["choices"][0]["finish_reason"] == "stop"
    with urllib.request.urlopen(f"{address}/health", timeout=60) as answer:
        assert json.load(answer) == {"status": "ok"}
    with urllib.request.urlopen(f"{address}/metrics", timeout=60) as answer:
        page = answer.read().decode()
    assert 'memreason_requests_total{route="/v1/chat/completions",status="200"}' in page
    assert "memreason_answers_under_way 0.0" in page


def many(count: int) -> str:
    return "word " * count


IMPOSSIBLE: list[tuple[dict[str, Any], str | None]] = [
    ({"model": "gpt"}, "model"),
    ({"temperature": -1}, "temperature"),
    ({"temperature": "hot"}, "temperature"),
    ({"top_p": 0}, "top_p"),
    ({"n": 0}, "n"),
    ({"n": 1000}, "n"),
    ({"n": True}, "n"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"stop": ["a", ""]}, "stop[1]"),
    ({"top_logprobs": 2}, "top_logprobs"),
    ({"vote": True, "n": 4}, "vote"),
    ({"vote": True, "temperature": 1}, "vote"),
    ({"stream_options": {"include_usage": True}, "stream": False}, "stream_options"),
    ({"tools": [{"type": "function"}]}, "tools"),
    ({"response_format": {"type": "json_object"}}, "response_format"),
    ({"temprature": 1}, "temprature"),
    ({"next_type": "guess"}, "next_type"),
    ({"options": ["one"]}, "options"),
    ({"steps": [{"type": "guess", "text": "x"}]}, "steps[0].type"),
    ({"steps": [{"type": "memory", "text": " "}]}, "steps[0].text"),
    ({"steps": [{"type": "memory"}]}, "steps[0].text"),
    ({"steps": [{"type": "memory", "text": "x <memory_0>"}]}, None),
    ({"messages": []}, "messages"),
    ({"messages": [{"role": "user", "content": " "}]}, "messages"),
    ({"messages": [{"role": "user", "content": "\ud800"}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content"),
    ({"messages": [{"role": "system", "content": "Hi"}, *ASK["messages"]]}, "messages[0]"),
    ({"messages": [*ASK["messages"], {"role": "assistant", "content": "Hi"}]}, "messages[0]"),
    ({"messages": [{"role": "user", "content": many(300)}]}, None),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("more", "param"), IMPOSSIBLE)
def test_what_is_impossible_is_refused_in_the_form_of_the_api(
    served: Served, more: dict[str, Any], param: str | None, stream: bool
) -> None:
    body = json.dumps({**ASK, "stream": stream, **more}).encode()
    request = urllib.request.Request(f"{served[1]}/v1/chat/completions", body, {"Content-Type": "application/json"})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=60)
    assert caught.value.code == (404 if param == "model" else 400)
    error = json.load(caught.value)["error"]
    assert set(error) == {"message", "type", "param", "code"} and error["param"] == param and error["message"]


@pytest.mark.parametrize(
    "more", [{"prompt": [1, 2]}, {"prompt": []}, {"prompt": "x", "echo": True}, {"prompt": ["x"] * 65, "n": 2}, {}]
)
def test_completions_that_are_impossible(served: Served, more: dict[str, Any]) -> None:
    with pytest.raises(openai.BadRequestError):
        client(served[1]).post("/completions", body={"model": "capitals", **more}, cast_to=object)


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status"),
    [
        ("POST", "/v1/chat/completions", {"Content-Type": "application/json"}, "{", 400),
        ("POST", "/v1/chat/completions", {"Content-Type": "application/json"}, "[" * 100_000, 400),
        ("POST", "/v1/chat/completions", {"Content-Type": "application/json"}, "[]", 400),
        ("POST", "/v1/chat/completions", {"Content-Type": "application/json"}, '{"n": NaN}', 400),
        ("POST", "/v1/chat/completions", {"Content-Type": "application/json"}, " " * 300_000, 413),
        ("POST", "/v1/chat/completions", {"Content-Type": "text/plain"}, "{}", 415),
        ("DELETE", "/v1/chat/completions", {}, "", 405),
        ("GET", "/v1/files", {}, "", 404),
        ("GET", "/v1/models/gpt", {}, "", 404),
    ],
)
def test_requests_that_are_none(
    served: Served, method: str, path: str, headers: dict[str, str], body: str, status: int
) -> None:
    request = urllib.request.Request(served[1] + path, body.encode() or None, headers, method=method)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=60)
    assert caught.value.code == status
    assert set(json.load(caught.value)["error"]) == {"message", "type", "param", "code"}


def test_a_key_is_asked_for_where_the_server_has_one(checkpoint: Path) -> None:
    with running(checkpoint, key="right", served_model_name="other/name") as (_, address):
        assert client(address, "right").models.retrieve("other/name").id == "other/name"
        for wrong in ("wrong", "rïght"):
            request = urllib.request.Request(f"{address}/v1/models", headers={"Authorization": f"Bearer {wrong}"})
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(request, timeout=60)
            assert caught.value.code == 401
        with pytest.raises(openai.AuthenticationError):
            client(address, "wrong").chat.completions.create(**ASK)
        with urllib.request.urlopen(f"{address}/health", timeout=60) as answer:
            assert answer.status == 200
