"""Pictures can be read: no name stands on another, whatever the length of the text."""

from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from helpers.attributed import long_attribution
from hypothesis import given
from hypothesis import strategies as st

from memreason.errors import UserError
from memreason.explain.attention.figure import draw, spread


@pytest.mark.parametrize(("steps", "each"), [(34, 28), (1, 8)])
@pytest.mark.parametrize("what", ["head", "steps"])
def test_names_do_not_overlap(steps: int, each: int, what: str) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = draw(long_attribution(steps, each), what)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    axes = figure.axes[0]
    names = [*axes.texts, *axes.get_xticklabels(), *axes.get_yticklabels()]
    boxes = [one.get_window_extent(canvas.get_renderer()) for one in names if one.get_text()]
    assert len(boxes) > 5
    width, height = figure.bbox.size
    for box in boxes:
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height
    for one, other in combinations(boxes, 2):
        across, along = min(one.x1, other.x1) - max(one.x0, other.x0), min(one.y1, other.y1) - max(one.y0, other.y0)
        assert across < 1 or along < 1


@given(st.lists(st.floats(0, 100), min_size=1, max_size=40), st.floats(0.5, 30))
def test_names_keep_their_distance_and_their_order(centres: list[float], gap: float) -> None:
    centres.sort()
    places, shown = spread(centres, gap, 0, 100)
    at = [places[number] for number in shown]
    assert at and all(later - earlier >= gap - 1e-6 for earlier, later in pairwise(at))
    assert at[0] >= -1e-6 and at[-1] <= 100 + 1e-6
    if all(later - earlier >= gap for earlier, later in pairwise(centres)) and len(shown) == len(centres):
        np.testing.assert_allclose(at, centres, atol=1e-9)


def test_pictures_are_files_of_the_kind_that_their_names_say_and_the_same_each_time(tmp_path: Path) -> None:
    found = long_attribution(1, 8)
    found = replace(found, tokens=("$x_{", *found.tokens[1:]))  # no formula
    found.figure(tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    for name in ("a.svg", "b.svg"):
        found.figure(tmp_path / name, "heads")
    assert (tmp_path / "a.svg").read_bytes().startswith(b"<?xml")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert found.show().axes
    with pytest.raises(UserError, match=r"a\.gif: a picture is"):
        found.figure(tmp_path / "a.gif")
    with pytest.raises(UserError, match=r"picture 'head'.*needs a layer and a head"):
        replace(found, head=None, token_map=None).figure(tmp_path / "b.png", "head")


def test_of_a_method_that_gives_only_the_row_of_the_answer_there_are_bars() -> None:
    found = long_attribution(3, 8)
    step_map = np.full_like(found.step_map, np.nan)
    step_map[-1] = found.step_map[-1]
    (axes,) = draw(replace(found, step_map=step_map, head=None), "steps").axes
    assert len(axes.patches) == len(found.spans)
