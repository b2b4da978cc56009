"""The page in a real browser: filter, compare, phone size; whatever stands in the traces."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.browsed import atlas, explain, row, run
from helpers.browser import PHONE, opened
from helpers.serving import listening

from memreason.serving.browse.library import Library
from memreason.serving.guard import Guard
from memreason.serving.page import Page
from memreason.serving.viewer import Viewer

NASTY = "</script><img src=x onerror=\"document.title='seen'\">\u2028\u202egnihton\u2066 <b>bold</b>"


def traces(change: str = "") -> list[dict]:
    wrong = {"answer": "False", "cause": "false_memory"}
    rows = [atlas("capital", 0), atlas("area", 1, **wrong, steps=("memory Lyon is Greek.", "reason So it is not."))]
    rows[1]["step_truth"] = [False, True, True]
    rows += [row(f"q{i}", f"Is {i} even?", steps=(f"memory {i} is {change or 'odd'} now.",)) for i in range(40)]
    return [*rows, row("nasty", NASTY, steps=(f"memory {NASTY}",), split=NASTY)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    before = traces("even")
    before[2] |= {"answer": "False", "outcome": "incorrect", "cause": "both"}
    before[3] = row("q1", "Is 1 even?", steps=("memory Norway has many fjords.",))
    return run(tmp_path_factory.mktemp("runs") / "demo", traces(), before)


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """Of a page without a model."""
    page = Page(Guard(None, loopback=True), Library([folder]))
    with listening(lambda on_ready: Viewer(page, 1000, on_ready)) as (_, address):
        yield f"{address}/web"


def questions(page) -> list[str]:
    page.wait_for_selector("#runs .card")
    return page.locator("#runs .card h3").all_inner_texts()


def chosen(page, words: str) -> None:
    """Wait until the list says how many traces it has."""
    page.get_by_text(words, exact=True).and_(page.locator("#runs .chosen strong")).wait_for()


def test_filters_figures_and_pages(browser, address: str) -> None:
    with opened(browser) as page:
        page.goto(f"{address}#runs")
        chosen(page, "43 of 43 traces")
        assert len(questions(page)) == 25
        page.get_by_role("link", name="Next").click()
        page.get_by_text("Page 2 of 2").wait_for()
        assert len(questions(page)) == 18
        page.get_by_role("link", name="false memory 1").click()  # a figure, to the traces that it counts
        chosen(page, "1 of 43 traces")
        assert questions(page) == ["Is 1 the area?"]
        assert page.locator(".first-wrong .text").inner_text() == "Lyon is Greek."
        assert page.evaluate("document.activeElement.className") == "chosen"
        page.get_by_role("link", name="Clear all filters").click()
        chosen(page, "43 of 43 traces")
        page.keyboard.press("/")
        page.keyboard.type("q7")
        chosen(page, "1 of 43 traces")
        page.get_by_label("Kind of question").select_option("area")
        chosen(page, "0 of 43 traces")
        page.go_back()
        page.reload()
        chosen(page, "1 of 43 traces")
        assert page.get_by_label("Search").input_value() == "q7"
        assert not page.get_by_role("link", name="Ask").count()
        page.goto(f"{address}#runs/demo?split=test")
        page.get_by_role("heading", name="What went wrong in test").wait_for()
        page.goto(f"{address}#runs/nowhere")
        assert page.get_by_role("alert").inner_text() == "there is no run 'nowhere' here"


def test_two_runs_stand_side_by_side_and_differences_are_marked(browser, address: str) -> None:
    with opened(browser) as page:
        page.goto(f"{address}#runs/demo%3Abefore")
        chosen(page, "43 of 43 traces")
        page.get_by_label("Beside it").select_option("demo")
        chosen(page, "43 of 43 questions")
        request = "fetch('/web/api/compare?left=demo:before&right=demo').then(answer => answer.json())"
        pair = page.evaluate(request)["figures"]["comparison"]
        low, high, least = (f"{100 * abs(value):.1f}" for value in (*pair["interval"], pair["smallest"]))
        assert page.locator(".compared").inner_text().split("\n") == [
            "Difference", "+2.3 percentage points", "95% interval", f"−{low} to +{high}", "p", "1",
            "Detectable", f"{least} points or more",
        ]  # fmt: skip
        assert page.get_by_text("demo and demo before training are statistically tied").is_visible()
        page.get_by_role("link", name="only the right one right: 1").click()
        chosen(page, "1 of 43 questions")
        assert questions(page) == ["Is 0 even?"]
        card = page.locator(".card")
        assert (card.locator("del").all_inner_texts(), card.locator("ins").all_inner_texts()) == (["even "], ["odd "])
        assert card.locator(".outcome").all_inner_texts() == ["✗ wrong", "✓ right"]
        page.goto(f"{address}#runs/demo%3Abefore?with=demo&id=q1")  # steps that have nothing in common
        chosen(page, "1 of 43 questions")
        page.get_by_role("heading", name="Is 1 even?").wait_for()
        assert (card.locator(".step.differs").count(), card.locator("del, ins").count()) == (2, 0)


def test_texts_of_models_and_data_are_inert(browser, address: str) -> None:
    with opened(browser) as page:
        for place in ("runs/demo?id=nasty", "runs/demo%3Abefore?with=demo&id=nasty"):
            page.goto(f"{address}#{place}")
            shown = page.locator(".card .question bdi")
            shown.wait_for()
            assert shown.text_content() == NASTY
            assert page.title() == "memreason" and not page.locator("#runs img, #runs b").count()
            assert page.evaluate("getComputedStyle(document.querySelector('.card bdi')).unicodeBidi") == "isolate"


def test_a_phone_shows_all_of_it_and_controls_have_names(browser, address: str) -> None:
    with opened(browser, viewport=PHONE, color_scheme="dark") as page:
        for place in ("runs/demo", "runs/demo%3Abefore?with=demo"):
            page.goto(f"{address}#{place}")
            questions(page)
            assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
            names = page.locator("#runs").aria_snapshot()
            assert not re.search(r"- (link|button|combobox|searchbox)( \[|:|$)", names, re.MULTILINE), names


def test_files_that_change_are_shown_anew_with_their_explanation(browser, address: str, folder: Path) -> None:
    with opened(browser) as page:
        page.clock.install()
        page.goto(f"{address}#runs/demo")
        page.get_by_text(f"memreason explain {folder}").wait_for()
        edit = {
            "steps": [{"type": "memory", "text": "1 is prime."}],
            "answer": "True",
            "given": 1,
            "outcome": "correct",
        }
        asked = json.loads((folder / "evaluation" / "traces.jsonl").read_text().splitlines()[1])
        explain(folder, sentences=["It is so."], interventions={"memories_corrected": {"n": 9, "accuracy_after": 0.5}},
                traces=[{"id": asked["id"], "steps": asked["steps"], "answer": "False",
                         "edits": {"memories_corrected": edit}}])  # fmt: skip
        page.clock.run_for(6000)
        page.get_by_text("It is so.").wait_for()
        page.get_by_role("link", name="1 of 9").click()
        chosen(page, "1 of 43 traces")
        page.get_by_text("What if", exact=True).and_(page.locator("summary")).click()
        page.get_by_text("1 is prime.").wait_for()
