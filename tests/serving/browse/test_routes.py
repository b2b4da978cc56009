"""What the page gets, over HTTP without a network; files change under the server's hands."""

import json
import os
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient
from helpers.browsed import explain, row, run, write

from memreason.errors import UserError
from memreason.serving.browse.library import Library
from memreason.serving.browse.routes import PAGE, browse_router
from memreason.serving.errors import ApiError

RIGHT = [row(f"q{i:03}", f"Is {i} even?") for i in range(PAGE + 5)]
WRONG = [each | {"outcome": "incorrect", "cause": "both"} for each in RIGHT]


def client(*places: Path) -> TestClient:
    app = FastAPI()
    app.include_router(browse_router(Library(places)))

    @app.exception_handler(ApiError)
    async def failed(request: object, error: ApiError) -> JSONResponse:
        return JSONResponse(error.body(), error.status)

    return TestClient(app)


def get(client_: TestClient, path: str, **query: str | int) -> dict:
    response = client_.get(f"/web/api/{path}", params=query)
    assert response.status_code == 200, response.text
    return response.json()


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    return run(tmp_path / "demo", RIGHT, WRONG, [WRONG, *[RIGHT] * 9])


def test_a_run_has_its_evaluation_what_was_before_and_its_epochs_in_order(demo: Path) -> None:
    names = [each["name"] for each in get(client(demo), "runs")["runs"]]
    assert names == ["demo", "demo:before", *(f"demo:epoch-{number}" for number in range(1, 11))]


def test_a_folder_of_an_evaluation_and_any_file_can_be_given_and_names_differ(demo: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other" / "demo", *WRONG)
    page = client(demo / "evaluation", demo / "before" / "traces.jsonl", other, demo / "epochs" / "epoch-2")
    names = [each["name"] for each in get(page, "runs")["runs"]]
    assert names == ["demo/evaluation", "demo/before", "demo", "epochs/epoch-2"]
    assert [get(page, f"traces/{name}")["total"] for name in names] == [len(RIGHT)] * 4


def test_folders_of_one_name_are_told_apart_by_their_parents(tmp_path: Path) -> None:
    places = [write(tmp_path / which / "same", row()) for which in ("a", "b")]
    assert [each["name"] for each in get(client(*places), "runs")["runs"]] == ["a/same", "b/same"]


def test_a_run_can_be_called_as_the_routes_are(tmp_path: Path) -> None:
    page = client(*(write(tmp_path / which / "traces", row()) for which in ("a", "b")))
    assert get(page, "runs/a/traces")["n"] == get(page, "traces/a/traces")["total"] == 1


def test_traces_come_in_pages(demo: Path) -> None:
    page = client(demo)
    first, second, third = (get(page, "traces/demo", page=number) for number in (1, 2, 3))
    assert (first["total"], first["pages"]) == (PAGE + 5, 2)
    assert [each["id"] for each in first["traces"] + second["traces"]] == [each["id"] for each in RIGHT]
    assert third["traces"] == []


def test_filters_search_and_id_are_parameters(demo: Path) -> None:
    page = client(demo)
    assert get(page, "traces/demo:before", cause="both", q="Q007 even")["total"] == 1
    assert get(page, "traces/demo", cause="both")["total"] == 0
    assert get(page, "traces/demo", id="q003")["traces"][0]["question"] == "Is 3 even?"


def test_two_lists_are_compared(demo: Path) -> None:
    found = get(client(demo), "compare", left="demo:before", right="demo", change="only_right", page=2)
    assert (found["total"], len(found["pairs"]), found["figures"]["changes"]["only_right"]) == (PAGE + 5, 5, PAGE + 5)
    assert found["labels"] == ["demo before training", "demo"]


def test_files_that_change_are_read_again(demo: Path) -> None:
    page = client(demo)
    before = get(page, "runs/demo")
    compared = get(page, "compare", left="demo", right="demo:before")["figures"]
    assert get(page, "runs/demo")["version"] == before["version"]
    write(demo / "evaluation", *WRONG[:3])
    after = get(page, "runs/demo")
    assert (after["n"], after["figures"]["errors"]) == (3, {"both": 3})
    assert after["version"] != before["version"]
    assert compared["n"] - get(page, "compare", left="demo", right="demo:before")["figures"]["n"] == PAGE + 2
    write(demo / "epochs" / "epoch-11", *RIGHT)
    assert get(page, "runs/demo:epoch-11")["n"] == len(RIGHT)


def test_a_run_without_an_explanation_says_which_command_makes_one(demo: Path) -> None:
    page = client(demo, demo / "before")
    found = get(page, "runs/demo")
    assert (found["explanation"], found["command"]) == (None, f"memreason explain {demo}")
    assert get(page, "runs/demo/before")["command"] is None
    explain(demo, sentences=["One."], traces=[{"id": "q001", "importance": [0.5]}],
            facts=[{"fact": "1 is odd", "n": 2, "traces": ["q001", "q003"]}])  # fmt: skip
    found = get(page, "runs/demo")
    assert found["explanation"]["sentences"] == ["One."]
    assert found["explanation"]["facts"] == [{"fact": "1 is odd", "n": 2}]
    assert get(page, "explained/demo", id="q001")["trace"]["importance"] == [0.5]
    assert get(page, "explained/demo", id="q002")["trace"] is None
    assert [each["id"] for each in get(page, "traces/demo", fact="1 is odd")["traces"]] == ["q001", "q003"]
    assert get(page, "traces/demo", fact="another")["total"] == 0


def test_a_damaged_explanation_leaves_the_traces(demo: Path) -> None:
    page = client(demo)
    explain(demo, traces=[{"no": "id"}])
    found = get(page, "runs/demo")
    assert found["n"] == len(RIGHT) and "'id' is missing" in found["explanation_problem"]


def test_only_what_was_given_can_be_read(demo: Path, tmp_path: Path) -> None:
    write(tmp_path / "secret", *RIGHT)
    page = client(demo)
    for name in (
        "secret",
        "../secret",
        "demo/../secret",
        "..%2Fsecret",
        str(tmp_path / "secret"),
        "demo:../secret",
        "",
    ):
        for path in (f"runs/{name}", f"traces/{name}", f"explained/{name}?id=q001"):
            response = page.get(f"/web/api/{path}")
            assert response.status_code in (404, 307), (path, response.text)
    assert page.get("/web/api/compare", params={"left": "demo", "right": "../secret"}).status_code == 404


def test_a_file_that_cannot_be_used_is_told_and_the_next_one_is_read(demo: Path) -> None:
    page = client(demo)
    traces = demo / "evaluation" / "traces.jsonl"
    traces.write_text(json.dumps(RIGHT[0]) + "\n{not a trace\n")
    for _ in range(2):
        response = page.get("/web/api/traces/demo")
        assert response.status_code == 422 and "traces.jsonl:2" in response.json()["error"]["message"]
    write(demo / "evaluation", *RIGHT)
    assert get(page, "traces/demo")["total"] == len(RIGHT)
    os.unlink(traces)
    assert page.get("/web/api/runs/demo").status_code == 404


def test_numbers_that_json_does_not_have_and_halves_of_characters_arrive(tmp_path: Path) -> None:
    folder = write(tmp_path / "odd", row(step_logprobs=[float("nan"), -0.5]))
    with open(folder / "traces.jsonl", "a") as file:
        file.write(json.dumps(row("half", "Is \ud83d it?")) + "\n")
    rows = get(client(folder), "traces/odd")["traces"]
    assert rows[0]["step_logprobs"] == [None, -0.5] and rows[1]["id"] == "half"


def test_what_is_not_there_is_refused_at_the_start_and_an_empty_folder_is_listed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere: no such folder or file"):
        Library([tmp_path / "nowhere"])
    assert get(client(tmp_path), "runs") == {"runs": [], "empty": [tmp_path.name]}
