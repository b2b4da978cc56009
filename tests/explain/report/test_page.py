"""The page as a reader's browser shows it: figures, filters, links, small screens, and texts that want to do harm."""

import html
import json
import math
import re
from functools import reduce
from itertools import pairwise

import pytest
from helpers.browser import PHONE, browser, opened  # noqa: F401
from helpers.explanations import HOSTILE, explanation, with_texts

from memreason.compare.words import p_value
from memreason.explain.report import render
from memreason.explain.report.words import SECTIONS

FORMS = {
    "count": (1, 0),
    "percent": (100, 1),
    "points": (100, 1),
    "size": (100, 1),
    "number": (1, 2),
    "short": (1, 1),
    "share": (100, 0),
    "chance": (100, 0),
}
"""Form of a number on the page → by how much it is multiplied, and its digits behind the point."""


@pytest.fixture
def show(tmp_path, browser):  # noqa: F811
    """(explanation, hash) → a context with the page of it, opened from disk."""

    def shown(content=None, where="", **options):
        path = tmp_path / "report.html"
        path.write_text(render(content or explanation()), encoding="utf-8")
        manager = opened(browser, **options)
        page = manager.__enter__()
        managers.append(manager)
        page.goto(path.as_uri() + where)
        return page

    managers: list = []
    yield shown
    for manager in managers:
        manager.__exit__(None, None, None)


def at(content, pointer):
    """What a JSON Pointer leads to."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    return reduce(lambda found, part: found[int(part) if isinstance(found, list) else part], parts, content)


def questions(page):
    return page.locator("#list h3").all_text_contents()


def test_every_number_is_that_of_the_explanation_and_of_the_metrics_rounded_as_it_says(show):
    content = explanation()
    page = show(content)
    while page.locator("details:not([open])").count():
        page.locator("details:not([open]) > summary").first.click()
    shown = page.evaluate(
        "[...document.querySelectorAll('[data-key]')]"
        ".map(e => [e.dataset.key, e.dataset.value, e.dataset.form, e.textContent])"
    )
    sections = {key.split("/")[1] for key, *_ in shown if key.startswith("/")}
    assert {*SECTIONS, "traces", "accuracy"} <= sections
    values = {key: json.loads(value) for key, value, *_ in shown}
    for when in ("before", "after"):
        assert values[f"/accuracy/{when}/test/accuracy"] == content["metrics"][when]["splits"]["test"]["accuracy"]
    for key, value, form, text in shown:
        if key.startswith("["):
            there = sum(at(content, pointer) for pointer in json.loads(key))
        else:
            try:
                there = at(content, key)
            except (KeyError, TypeError):
                there = None
        assert json.loads(value) == there, key
        if there is None:
            assert text == "–", key
            continue
        if text == ">99%":
            assert form == "chance" and 0.99 < math.exp(there) < 1, key
            continue
        if form == "p":
            assert text == p_value(there), key
            continue
        number = float(re.sub(r"[+%,]", "", text).replace("−", "-"))
        scale, digits = FORMS[form]
        exact = math.exp(there) if form == "chance" else there
        assert abs(number - scale * exact) <= 0.5 * 10**-digits + 1e-9, (key, text)


def test_filters_stand_in_the_address_and_an_address_brings_them_back(show):
    page = show(where="#cause=false_memory")
    assert questions(page) == ["Is Kenya in Africa?"] and page.locator("[name=cause]").input_value() == "false_memory"
    assert page.locator("#status").inner_text() == "1 of 4 answers."
    page.get_by_role("button", name="Show all").click()
    assert len(questions(page)) == 4
    page.get_by_label("Text").fill("PERU is")
    assert questions(page) == ["Is Peru in Asia?"] and page.url.endswith("#q=PERU+is")
    page.get_by_label("Outcome").select_option("correct")
    assert questions(page) == [] and "outcome=correct" in page.url
    page.reload()
    assert questions(page) == [] and page.get_by_label("Text").input_value() == "PERU is"


def test_an_address_that_was_made_up_breaks_nothing(show):
    page = show()
    for where, count in {
        "edit=x": 0,
        "__proto__=1": 4,
        "edit=no_edit%3Ax": 0,
        "constructor=1": 4,
        "at=reason": 0,
    }.items():
        page.evaluate("where => history.replaceState(null, '', '#' + where)", where)
        page.reload()
        assert len(questions(page)) == count, where


LINKS = {
    "#cause=false_memory": ["Is Kenya in Africa?"],
    "#family=currency&outcome=correct": ["Which money has Kenya?"],
    "#fact=the+continent+of+Kenya": ["Is Kenya in Africa?"],
    "#confidence=0.8%3A1.0": ["Is Peru in Asia?", "Which money has Kenya?"],
    "#at=2%3Areason": ["Is Kenya in Africa?", "Is Peru in Asia?"],
    "#length=1&outcome=correct": ["Which money has Kenya?"],
    "#edit=memories_corrected%3Achanged": ["Is Kenya in Africa?"],
    "#grounds=sound": ["Which money has Kenya?"],
    "#id=continent-1": ["Is Peru in Asia?"],
}
"""Links of figures → the questions of the traces that they lead to."""


def test_a_figure_leads_to_the_traces_behind_it_by_the_keyboard_too(show):
    page = show()
    for link, expected in LINKS.items():
        page.locator(f'a[href="{link}"]').first.focus()
        page.keyboard.press("Enter")
        page.wait_for_function("link => location.hash === link && document.activeElement.id === 'h-traces'", arg=link)
        assert questions(page) == expected, link


def test_a_trace_shows_its_first_wrong_step_its_edits_and_where_it_looked(show):
    page = show(where="#id=continent-0")
    first = page.locator("li.first")
    assert "Kenya is in Asia." in first.inner_text() and "first wrong step" in first.inner_text()
    assert "✗ false" in first.inner_text() and "41%" in first.inner_text()
    page.get_by_text("What if? 2 edits").click()
    page.locator("section.edit").first.wait_for()
    corrected, removed = page.locator("section.edit").all()
    assert corrected.locator("li").first.locator("del").all_text_contents() == ["Asia"]
    assert corrected.locator("li").first.locator("ins").all_text_contents() == ["Africa"]
    assert "left out" in removed.locator("li").first.inner_text()
    # Signs stay at their words.
    assert removed.locator("li bdi").last.text_content() == "So 2.5 (or 3 not 2) is false."
    page.get_by_text("Where it looked").click()
    page.locator("table.map").wait_for()
    assert page.locator("table.map td data").all_text_contents() == ["100%", "50%", "50%", "25%", "63%", "13%"]


def test_texts_of_models_and_data_do_nothing(show):
    page = show(with_texts(HOSTILE))
    while page.locator("details:not([open])").count():
        page.locator("details:not([open]) > summary").first.click()
    assert page.evaluate("[window.hacked, document.scripts.length, document.images.length]") == [None, 2, 0]
    seen = HOSTILE.replace("\u2028", "U+2028").replace("\u202e", "U+202E")
    assert questions(page)[0] == seen
    assert page.locator("h1 bdi").inner_text() == seen
    assert not {"\u2028", "\u202e"} & set(page.locator("body").inner_text())
    page.locator("#families tbody th a").click()
    assert questions(page) == [seen]


def test_the_page_asks_nobody_and_runs_no_other_script(show):
    page = show()
    assert page.evaluate("fetch('data:,x').then(() => 'asked', () => 'refused')") == "refused"
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<a id=x onclick=\"window.hacked=1\">x</a>')")
    page.evaluate("document.getElementById('x').click()")
    assert page.evaluate("window.hacked") is None


def test_on_a_phone_nothing_scrolls_sideways_and_a_switch_makes_it_dark(show):
    page = show(viewport=PHONE, color_scheme="light")
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    colour = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(colour)
    page.get_by_role("button", name="Switch to dark colours").click()
    assert page.evaluate(colour) != light
    page.get_by_role("button", name="Switch to light colours").click()
    assert page.evaluate(colour) == light


def test_headings_labels_and_the_keyboard(show):
    page = show()
    levels = page.evaluate(
        "[...document.querySelectorAll('h1,h2,h3,h4')].filter(e => e.checkVisibility()).map(e => Number(e.tagName[1]))"
    )
    assert levels[0] == 1 and all(after - before <= 1 for before, after in pairwise(levels))
    assert page.evaluate("[...document.querySelectorAll('select,input')].every(e => e.labels.length === 1)")
    assert page.evaluate(
        "[...document.querySelectorAll('a,button')].every(e => e.tabIndex < 0 || e.textContent.trim() || e.ariaLabel)"
    )
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.url.endswith("#traces")


WITHOUT_SECTION = [
    "run",
    "accuracy",
    "metrics",
    "errors",
    "right",
    "types_fit",
    "sentences",
    "notes",
    "computed",
    "config",
]


@pytest.mark.parametrize("key", [*SECTIONS, *WITHOUT_SECTION, "traces"])
def test_a_part_that_is_missing_is_left_out_and_said(key):
    for absent in ({key: None}, {key: [] if isinstance(explanation()[key], list) else {}}):
        page = html.unescape(render(explanation(**absent)))
        if key in SECTIONS:
            assert f'<section id="{key}"' not in page
            assert f"<b>{SECTIONS[key][0]}</b>: {SECTIONS[key][1]}." in page
        assert "None" not in page and "Undefined" not in page


def test_a_page_of_the_traces_alone_stands(show):
    whole = explanation()
    bare = {key: whole[key] for key in ("run", "traces")} | {
        "accuracy": {"before": None, "after": whole["accuracy"]["after"], "difference": None},
        "metrics": {"before": None, "after": whole["metrics"]["after"]},
    }
    page = show(bare)
    assert len(questions(page)) == 4 and page.locator("#left-out li, .left-out li").count() == len(SECTIONS)


def test_very_many_answers_are_drawn_as_bars_and_a_page_of_a_hundred_is_small():
    one = explanation()["traces"]
    hundred = [trace | {"id": f"{trace['id']}-{number}"} for number in range(25) for trace in one]
    assert len(render(explanation(traces=hundred)).encode()) < 2_000_000
    many = [trace | {"edits": None} for trace in hundred * 11]
    page = render(explanation(traces=many, errors={"test": {"false_memory": 275, "wrong_inference": 275}}))
    assert 'class="units' not in page
    assert 'class="units' in render(explanation())


def test_a_number_that_is_not_finite_is_refused():
    broken = explanation()
    broken["traces"][0]["answer_logprob"] = float("nan")
    with pytest.raises(ValueError, match="JSON"):
        render(broken)
