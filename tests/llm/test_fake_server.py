"""The scripted server: a real HTTP server that speaks as OpenAI's does, and misbehaves on demand."""

import concurrent.futures
import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from memreason.llm.fake_server import CONTENT_FAULTS, ScriptedServer

BODY = {
    "model": "m",
    "messages": [{"role": "system", "content": '{"answer": …}'}, {"role": "user", "content": "in favour of B."}],
}


def post(url: str, body: dict[str, Any] = BODY, timeout: float = 10) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{url}/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        return json.load(answer)


def test_it_answers_as_a_chat_completions_endpoint_does() -> None:
    server = ScriptedServer()
    with server.running() as url:
        answer = post(url)
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": '{"answer": "B"}'}
    assert answer["usage"]["total_tokens"] == answer["usage"]["prompt_tokens"] + answer["usage"]["completion_tokens"]
    assert server.counts == {"requests": 1, "ok": 1}
    assert server.bodies == [BODY]


@pytest.mark.parametrize(("fault", "status"), [("429", 429), ("500", 500)])
def test_faults_with_a_status(fault: str, status: int) -> None:
    with (
        ScriptedServer(faults=1.0, kinds=(fault,)).running() as url,
        pytest.raises(urllib.error.HTTPError) as caught,
    ):
        post(url)
    assert caught.value.code == status


@pytest.mark.parametrize(
    ("fault", "error"), [("drop", ConnectionError), ("stall", TimeoutError), ("broken_body", json.JSONDecodeError)]
)
def test_faults_of_the_connection(fault: str, error: type[Exception]) -> None:
    with ScriptedServer(faults=1.0, kinds=(fault,), stall=2).running() as url, pytest.raises(error):
        post(url, timeout=0.3)


@pytest.mark.parametrize("fault", CONTENT_FAULTS)
def test_faults_of_the_content_are_well_formed_completions_without_the_answer(fault: str) -> None:
    with ScriptedServer(faults=1.0, kinds=(fault,)).running() as url:
        assert '"answer": "B"}' not in post(url)["choices"][0]["message"]["content"]


def test_the_share_of_faults_is_as_asked_and_the_same_for_the_same_seed() -> None:
    counts = []
    for _ in range(2):
        server = ScriptedServer(faults=0.3, kinds=("empty",), seed=1)
        with server.running() as url:
            for _ in range(60):
                post(url)
        counts.append(server.counts["empty"])
    assert counts[0] == counts[1]
    assert 8 <= counts[0] <= 28


def test_it_answers_several_at_once_and_knows_how_many() -> None:
    server = ScriptedServer(latency=0.2)
    with server.running() as url, concurrent.futures.ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda _: post(url), range(5)))
    assert server.most_in_flight == 5
    assert server.in_flight == 0
