"""Forest plots and learning curves: marks lie where their values do, texts lie within the picture and do nothing."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest
from helpers.comparison_pictures import NAMES, many, pictures
from helpers.comparisons import LENGTH, SEVERAL, SINGLE

from memreason.compare.show import forest, svg


def parts(picture: str, kind: str, name: str = "") -> list[ElementTree.Element]:
    found = ElementTree.fromstring(picture).iter(f"{{http://www.w3.org/2000/svg}}{kind}")
    return [each for each in found if name in each.get("class", "")]


def at(mark: ElementTree.Element) -> float:
    return float(mark.get("transform").removeprefix("translate(").split()[0])


def test_marks_lie_in_the_order_of_their_values_and_within_their_intervals() -> None:
    picture = forest.differences(many())
    marks = [at(mark) for mark in parts(picture, "path", "memory")][1:]
    assert marks == sorted(marks) and len(marks) == len(NAMES) - 1
    (zero,) = parts(picture, "line", "zero")
    better = [mark > float(zero.get("x1")) for mark in marks]
    assert better == [0.05 * place - 0.2 > 0.001 for place in range(len(marks))]
    lines = parts(picture, "line", "thick memory")
    assert all(float(line.get("x1")) < mark < float(line.get("x2")) for line, mark in zip(lines, marks, strict=True))
    (margin,) = parts(picture, "line", "margin")
    assert float(margin.get("x1")) < float(zero.get("x1"))


def test_what_is_better_stands_at_its_side() -> None:
    def sides(result) -> list[str]:
        return [
            each.text
            for each in parts(forest.differences({"": result.to_json()}), "text")
            if set("←→") & set(each.text)
        ]

    assert sides(SINGLE) == ["← worse", "better →"]
    assert sides(replace(SINGLE, higher_is_better=False)) == ["← better", "worse →"]
    assert sides(LENGTH) == ["← lower", "higher →"]


def test_a_figure_stands_beside_each_mark_in_full() -> None:
    texts = [each.text for each in parts(forest.differences({"": SINGLE.to_json()}), "text")]
    assert "−2 [−11, +7]" in texts and "typed" in texts
    assert "accuracy: difference to plain, percentage points (95% interval, n = 100)" in texts
    assert "test_seen, n = 600" in [each.text for each in parts(forest.rates(many()), "text")]
    assert "area, n = 60" in [each.text for each in parts(forest.groups(SEVERAL.to_json()), "text")]


def test_names_are_texts_and_nothing_else_and_pictures_are_the_same_each_time() -> None:
    for name, picture in pictures().items():
        assert not parts(picture, "b") and "\u202e" not in picture, name
    assert pictures() == pictures()


def test_an_empty_comparison_is_drawn() -> None:
    assert parts(forest.differences({"": replace(SINGLE, comparisons=()).to_json()}), "text")


@pytest.mark.parametrize(("low", "high"), [(-2.5, 3.1), (0.0, 0.004), (5.0, 5.0), (-100, 100), (0, 0)])
def test_scales_have_round_numbers_around_all_values(low: float, high: float) -> None:
    found = svg.ticks(low, high, 6)
    assert found[0] <= low <= high <= found[-1] and 2 <= len(found) <= 8


def test_long_texts_are_broken_and_what_is_too_long_ends_with_an_ellipsis() -> None:
    assert svg.wrapped("memory/reason tokens", 90) == ["memory/", "reason", "tokens"]
    lines = svg.wrapped("x" * 100, 100, 2)
    assert len(lines) == 2 and lines[1].endswith("…") and all(svg.width(each) <= 100 for each in lines)
