"""What the page is given, and what it is told when it asks."""

import json
import math
import re
import urllib.error
import urllib.request
from typing import Any

import pytest

from memreason.generation.decoding import Decoding
from memreason.generation.request import Request
from memreason.records import Question
from memreason.serving.page import Page
from memreason.serving.server import Server

Paged = tuple[Server, str]
QUESTION = "Is Rome the capital of France?"


def requested(paged: Paged, path: str, body: Any = None, **headers: str) -> tuple[int, Any, Any]:
    """(status, headers, text) of a response."""
    data = None if body is None else json.dumps(body).encode()
    kind = {"Content-Type": "application/json"} if data else {}
    request = urllib.request.Request(f"{paged[1]}{path}", data, {**kind, "Authorization": "Bearer secret", **headers})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, response.headers, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


def asked(paged: Paged, path: str, **body: Any) -> Any:
    """The JSON that an answer ends with."""
    status, _, text = requested(paged, f"/web/api/{path}", {"question": QUESTION, **body})
    if path == "wordings" or status != 200:
        return json.loads(text)
    *events, end = (line.removeprefix("data: ") for line in text.split("\n\n") if line)
    assert end == "[DONE]"
    return [json.loads(event) for event in events]


def test_the_page_needs_nothing_from_elsewhere_and_may_load_nothing(paged: Paged) -> None:
    page = Page(paged[0]._page.guard)  # type: ignore[union-attr]
    assert {"index.html", "main.js", "style.css"} <= set(page.files)
    for name, content in page.files.items():
        status, headers, text = requested(paged, f"/web/{name}")
        assert status == 200 and text.encode() == content
        assert headers["Content-Security-Policy"].startswith("default-src 'self';")
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"] == "no-referrer"
        strange = re.findall(r"(?:https?:)?//[\w.-]+\.\w+", re.sub(r"//www\.w3\.org", "", text))
        assert not strange, (name, strange)
        assert "innerHTML" not in text and "eval(" not in text
    assert requested(paged, "/web")[2] == page.files["index.html"].decode()
    assert requested(paged, "/web/nothing.js")[0] == 404 and requested(paged, "/web/..%2fpage.py")[0] == 404


def test_an_answer_is_told_line_by_line_and_is_the_greedy_one(paged: Paged) -> None:
    events = asked(paged, "ask")
    done = events[-1]["done"]
    handle = paged[0].service.engine.submit(Request(Question("q", QUESTION, ""), decoding=Decoding(logprobs=True)))
    trace = handle.wait(60)[0].trace
    assert done["ids"] == list(trace.ids or ()) and done["answer"] == trace.answer
    assert [(step["type"], step["text"]) for step in done["steps"]] == [(step.type, step.text) for step in trace.steps]
    means = [step["logprob"] for step in done["steps"]]
    assert [*means, done["answer_logprob"]] == pytest.approx(trace.step_logprobs, abs=1e-4)
    assert [id for event in events[:-1] for id in event["ids"]] == done["ids"]
    lines: dict[int, dict[str, Any]] = {}
    for event in events[:-1]:
        for step in event["steps"]:
            assert step["text"].startswith(lines.get(step["index"], {"text": ""})["text"])
            lines[step["index"]] = step
    assert [lines[i]["text"] for i in range(len(lines))] == [step["text"] for step in done["steps"]]
    assert all(lines[i]["logprob"] is not None for i in range(len(lines)))


def test_only_what_follows_an_edit_is_written_anew(paged: Paged) -> None:
    first = asked(paged, "ask")[-1]["done"]
    said = first["steps"][0]["text"]
    other = said.replace("Rome", "Paris") if "Rome" in said else said.replace("Paris", "Rome")
    events = asked(paged, "continue", ids=first["ids"], edits=[{"step": 0, "text": other}])
    edited = events[-1]["done"]
    assert [step["text"] for step in events[0]["steps"]] == [other] and edited["steps"][0]["text"] == other
    assert edited["answer"] != first["answer"]
    again = asked(paged, "continue", ids=edited["ids"][: len(events[0]["ids"])])[-1]["done"]
    assert again["ids"] == edited["ids"]
    kept = asked(paged, "continue", ids=first["ids"], edits=[{"step": 1, "text": "Rome is old."}])[-1]["done"]
    line = first["ids"].index(paged[0].service.engine.unit.tokenizer.encode("\n")[-1])
    assert kept["ids"][: line + 1] == first["ids"][: line + 1]
    removed = asked(paged, "continue", ids=first["ids"], edits=[{"step": 1, "remove": True}])[-1]["done"]
    assert first["steps"][1]["text"] not in [step["text"] for step in removed["steps"]]
    added = {"step": 1, "insert": True, "type": "memory", "text": "Rome is old."}
    both = asked(paged, "continue", ids=first["ids"], edits=[added])[-1]["done"]["steps"]
    assert [step["text"] for step in both[:2]] == [said, "Rome is old."]


def test_wordings_come_with_their_probabilities_and_can_be_taken(paged: Paged) -> None:
    ids = asked(paged, "ask")[-1]["done"]["ids"]
    wordings = asked(paged, "wordings", ids=ids, step=0, n=16)["wordings"]
    shares = [wording["probability"] for wording in wordings]
    assert shares == sorted(shares, reverse=True) and sum(shares) <= 1 and sum(w["drawn"] for w in wordings) <= 16
    two = {wording["text"]: wording for wording in wordings[:2]}
    assert set(two) == {f"The capital of France is {city}." for city in ("Paris", "Rome")}
    answers = set()
    for text, wording in two.items():
        done = asked(paged, "continue", ids=wording["ids"])[-1]["done"]
        assert done["steps"][0]["text"] == text
        answers.add(done["answer"])
    assert answers == {"True", "False"}
    typed = asked(paged, "wordings", ids=ids, step=0, n=2, type="reason")["wordings"]
    assert {wording["type"] for wording in typed} == {"reason"}
    last = asked(paged, "wordings", ids=ids, step=2, n=2)["wordings"]
    assert last[0]["type"] == "answer" and math.exp(last[0]["logprob"]) <= 1


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("ask", {"question": " "}, "the question is empty"),
        ("ask", {"question": "Is it so? " * 99}, "the question has"),
        ("ask", {"question": "Is it?", "colour": 1}, "colour"),
        ("continue", {"ids": [10**9]}, "not the ids of an answer of this model"),
        ("continue", {"ids": [-1]}, "not the ids of an answer of this model"),
        ("continue", {"ids": [], "edits": [{"step": 7, "text": "x"}]}, "there is no step"),
        (
            "continue",
            {"ids": [5], "edits": [{"step": 0, "type": "dream", "text": "x"}]},
            "the step types of this model",
        ),
        ("continue", {"ids": [5], "edits": [{"step": 0, "text": " "}]}, "remove it"),
        (
            "continue",
            {"ids": [5], "edits": [{"step": 0, "type": "memory", "text": "<memory_0>"}]},
            "planning token <memory_0>",
        ),
        ("wordings", {"ids": [], "step": 3}, "there is no step"),
        ("wordings", {"ids": [], "step": 0, "n": 1000}, "at most 128"),
    ],
)
def test_mistakes_are_told_in_words(paged: Paged, path: str, body: dict[str, Any], message: str) -> None:
    status, _, text = requested(paged, f"/web/api/{path}", {"question": QUESTION, **body})
    assert status == 400 and message in json.loads(text)["error"]["message"]


def test_strangers_are_refused_and_the_api_is_there(paged: Paged) -> None:
    assert requested(paged, "/web/api/ask", {"question": QUESTION}, Origin="http://evil.example")[0] == 403
    assert requested(paged, "/v1/models", Host="evil.example")[0] == 403
    assert requested(paged, "/web/api/ask", {"question": QUESTION}, **{"Content-Type": "text/plain"})[0] == 415
    assert requested(paged, "/web/api/ask", {"question": QUESTION}, Authorization="Bearer other")[0] == 401
    assert requested(paged, "/v1/models", Authorization="")[0] == 200  # this server asks no key of clients
