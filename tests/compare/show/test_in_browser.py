"""The page and the pictures as a reader's browser shows them, wide and on a phone, light and dark."""

from dataclasses import replace
from pathlib import Path

import pytest
from helpers.browser import PHONE, browser, opened  # noqa: F401
from helpers.comparison_pictures import pictures
from helpers.comparisons import SEVERAL, SINGLE
from helpers.explanations import HOSTILE

from memreason.compare.show.comparison import write

OUTSIDE = """() => [...document.querySelectorAll("svg")].flatMap((svg, at) => {
  const { width, height } = svg.viewBox.baseVal;
  return [...svg.querySelectorAll("text")].filter(text => {
    const box = text.getBBox();
    return box.x < 0 || box.y < 0 || box.x + box.width > width || box.y + box.height > height;
  }).map(text => `${at}: ${text.textContent}`);
})"""


def test_texts_lie_within_their_picture_and_dark_is_dark(browser) -> None:  # noqa: F811
    with opened(browser) as page:
        page.set_content("".join(pictures().values()))
        assert page.evaluate(OUTSIDE) == []
        for scheme, paper in (("light", "rgb(255, 255, 255)"), ("dark", "rgb(20, 23, 28)")):
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate("getComputedStyle(document.querySelector('.paper')).fill") == paper


@pytest.mark.parametrize("options", [{"viewport": PHONE, "color_scheme": "dark"}, {}])
def test_the_page_opens_from_disk_and_names_do_nothing(browser, tmp_path: Path, options: dict) -> None:  # noqa: F811
    odd = replace(
        SEVERAL, label=HOSTILE, split=HOSTILE, warnings=(HOSTILE,),
        arms=tuple(replace(arm, name=arm.name + HOSTILE) for arm in SEVERAL.arms),
        comparisons=tuple(replace(pair, second=HOSTILE, sentence=HOSTILE) for pair in SEVERAL.comparisons),
    ).to_json()  # fmt: skip
    write([SINGLE.to_json(), replace(SINGLE, split="test").to_json(), odd | {"measure": "odd"}], tmp_path)
    with opened(browser, **options) as page:
        page.goto((tmp_path / "comparison.html").as_uri())
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0 and not page.locator("img, script").count()
        assert page.evaluate("window.hacked") is None
        shown = page.locator("figure.narrow" if options else "figure.wide")
        hidden = page.locator("figure.wide" if options else "figure.narrow")
        assert shown.first.is_visible() and not hidden.first.is_visible()
        assert page.get_by_role("heading", name="Accuracy").is_visible()
        assert page.get_by_role("table", name="Outcomes: accuracy").get_by_role("cell", name="56").count() == 2
        colours = "[document.body, document.querySelector('.paper')].map(getComputedStyle)"
        assert page.evaluate(f"(([page, picture]) => page.backgroundColor === picture.fill)({colours})")
