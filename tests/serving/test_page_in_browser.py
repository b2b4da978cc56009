"""The page in a real browser without a network: ask, change a step, go back, share, on a phone, by keyboard."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from helpers.browser import PHONE, opened
from helpers.serving import held, until

from memreason.serving.server import Server

Paged = tuple[Server, str]
QUESTION = "Is Rome the capital of France?"
MEMORY = "The capital of France is {}."


@contextmanager
def asking(browser: Any, paged: Paged, **options: Any) -> Iterator[Any]:
    """A page on which the question was asked and answered."""
    with opened(browser, **options) as page:
        page.goto(f"{paged[1]}/web#token=secret")
        page.get_by_label("Question", exact=True).fill(QUESTION)
        page.keyboard.press("Enter")
        written(page, 1)
        yield page


def written(page: Any, versions: int) -> None:
    """Wait until so many versions are there, and nothing is being written."""
    page.locator(".version").nth(versions - 1).wait_for()
    page.locator("button.text").first.wait_for()


def texts(page: Any) -> list[str]:
    """The lines of the answer as they are now, the answer last."""
    page.get_by_label("mark what changed").uncheck()
    return page.locator(".trace > li bdi:not(.badge bdi)").all_inner_texts()


def change(page: Any, step: int, text: str) -> None:
    page.locator("button.text").nth(step).click()
    page.get_by_label(f"Text of step {step + 1}").fill(text)
    page.keyboard.press("Enter")


def other_city(text: str) -> str:
    return MEMORY.format("Paris" if "Rome" in text else "Rome")


def test_a_memory_is_edited_the_answer_changes_and_undo_brings_it_back(browser: Any, paged: Paged) -> None:
    with asking(browser, paged) as page:
        first = texts(page)
        assert page.locator(".step.memory .meter").first.inner_text().strip().endswith("%")
        change(page, 0, other_city(first[0]))
        written(page, 2)
        second = texts(page)
        assert second[0] == other_city(first[0]) and {first[-1], second[-1]} == {"True", "False"}
        page.get_by_label("mark what changed").check()
        assert page.locator(".step.memory ins").all_inner_texts() == [re.findall(r"\w+", second[0])[-1]]
        page.keyboard.press("u")
        assert texts(page) == first
        page.keyboard.press("r")
        assert texts(page) == second
        change(page, 1, "Rome is old.")  # what stands before it stays
        written(page, 3)
        assert texts(page)[:2] == [second[0], "Rome is old."]
        page.locator("button.text").nth(1).click()
        page.get_by_role("button", name="Remove").click()
        written(page, 4)
        assert "Rome is old." not in texts(page) and texts(page)[0] == second[0]
        page.locator("button.text").first.click()
        page.get_by_role("button", name="Other wordings").click()
        other = page.locator("button.wording", has_text=first[0]).first
        assert other.locator(".share").inner_text().endswith("%")
        other.click()
        written(page, 5)
        assert texts(page) == first


def test_a_link_and_a_file_bring_all_versions_back(browser: Any, paged: Paged, tmp_path: Any) -> None:
    with asking(browser, paged) as page:
        change(page, 0, other_city(texts(page)[0]))
        written(page, 2)
        page.wait_for_url("**#ask?state=*")  # and no token
        link, second = page.url, texts(page)
        with page.expect_download() as saved:
            page.get_by_role("button", name="Save as JSON").click()
        saved.value.save_as(tmp_path / "versions.json")
        page.goto("about:blank")
        page.goto(link)
        written(page, 2)
        assert texts(page) == second and "address" in page.locator(".status").inner_text()
        page.keyboard.press("p")
        page.get_by_text("All versions (2) came out exactly the same.").first.wait_for()
        change(page, 1, "Rome is old.")
        written(page, 3)
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="Open JSON").click()
        chooser.value.set_files(tmp_path / "versions.json")
        page.get_by_text("come from the file").first.wait_for()
        assert page.locator(".version").count() == 2 and texts(page) == second
        page.goto(f"{paged[1]}/web#ask?state={link.rpartition('=')[2][:-40]}")
        page.get_by_role("alert").get_by_text("this link is not whole").wait_for()
        for strange in ("__proto__", "constructor", "ask/%E0%A4%A"):
            page.goto("about:blank")
            page.goto(f"{paged[1]}/web#{strange}")
            page.get_by_label("Question", exact=True).wait_for()


def test_writing_is_stopped_and_errors_are_told_in_words(browser: Any, paged: Paged) -> None:
    with opened(browser) as page:
        page.goto(f"{paged[1]}/web")
        page.get_by_role("alert").get_by_text("needs its token").wait_for()
        page.goto(f"{paged[1]}/web#token=secret")
        page.get_by_label("Question", exact=True).fill(QUESTION)
        page.get_by_role("button", name="Ask").click()
        written(page, 1)
        first = texts(page)
        with held(paged[0].service.engine):
            page.locator("button.text").first.click()
            page.get_by_label("Text of step 1").fill("Rome is new.")
            page.keyboard.press("Enter")
            page.get_by_role("button", name="Stop").wait_for()
            page.keyboard.press("Escape")
            page.get_by_role("button", name="Stop").wait_for(state="hidden")
        typed = page.get_by_label("Text of step 1")
        assert typed.input_value() == "Rome is new."  # nothing that was typed is lost
        page.keyboard.press("Escape")
        assert texts(page) == first and page.locator(".version").count() == 1
        change(page, 0, "<memory_0> is no text")
        page.get_by_role("alert").get_by_text("planning token <memory_0>").wait_for()
        assert typed.input_value() == "<memory_0> is no text"
        page.get_by_role("button", name="Other wordings").click()
        page.locator("button.wording").first.wait_for()
        hostile = "<img src=x onerror=alert(1)> \u202efdp.exe</script>"
        typed.fill(hostile)
        typed.press("Enter")
        written(page, 2)
        assert texts(page)[0] == hostile and page.locator("main img").count() == 0
        assert page.get_by_role("alert").count() == 0


def test_a_question_of_a_trace_can_be_asked_also_while_another_one_is_answered(browser: Any, paged: Paged) -> None:
    jobs = paged[0].service.thread.jobs
    with opened(browser) as page, held(paged[0].service.engine):
        page.goto(f"{paged[1]}/web#token=secret")
        page.get_by_label("Question", exact=True).fill("Is Rome old?")
        page.keyboard.press("Enter")
        until(lambda: len(jobs) == 1)
        (first,) = jobs
        page.get_by_role("link", name="Runs").click()
        page.get_by_role("link", name="Ask this").click()
        page.get_by_role("heading", name=QUESTION).wait_for()
        assert page.get_by_label("Question", exact=True).input_value() == QUESTION
        until(lambda: len(jobs) == 1 and first not in jobs)  # the first is given up


def test_a_phone_and_a_keyboard_are_enough(browser: Any, paged: Paged) -> None:
    with asking(browser, paged, viewport=PHONE) as page:
        assert "answer is" in page.locator("[aria-live]").inner_text()
        page.wait_for_function("document.activeElement.dataset.at === '0'")
        page.keyboard.press("j")
        page.keyboard.press("j")
        page.keyboard.press("k")
        assert page.evaluate("document.activeElement.dataset.at") == "1"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.tagName") == "TEXTAREA"
        page.get_by_role("button", name="Other wordings").click()
        page.locator("button.wording").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        unnamed = "button, input, textarea, select"
        assert all(
            page.evaluate(f"[...document.querySelectorAll('{unnamed}')].map(e => (e.labels?.length || 0) > 0 || "
                          "!!e.ariaLabel || !!e.textContent.trim())")
        )  # fmt: skip
        page.keyboard.press("Escape")
        assert page.locator(".panel").count() == 0
        page.keyboard.press("?")
        assert page.get_by_role("dialog").get_by_text("undo").is_visible()
        page.keyboard.press("Escape")
        assert page.get_by_role("dialog").count() == 0
