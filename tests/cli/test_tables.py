"""Tables on terminals of any width."""

import io

import pytest
from rich.console import Console

from memreason.cli.tables import print_table
from memreason.compare.show.tables import Column, Table

NAMES = ("plain", "typed-with-a-long-name", "a-name-that-is-longer-than-the-room-for-names")
FIGURES = ("60.0% [56.6, 63.3]", "−35.6 [−40.1, −31.1]", "<0.001")
SPLITS = ("test_seen", "test_unseen", "test_of_something_else")
WIDE = Table(
    "Accuracy",
    (
        Column(""),
        *(Column(title, split) for split in SPLITS for title in ("accuracy", "difference (points)", "p (Holm)")),
    ),
    tuple((name, *FIGURES * len(SPLITS)) for name in NAMES),
)


def printed(table: Table, width: int) -> str:
    file = io.StringIO()
    print_table(Console(file=file, width=width, force_terminal=True, color_system=None), table)
    return file.getvalue()


@pytest.mark.parametrize("width", [20, 40, 80, 100, 140, 300])
def test_no_name_figure_or_heading_is_cut_at_any_width(width: int) -> None:
    page = printed(WIDE, width)
    for text in (*NAMES[:2], *SPLITS, *FIGURES, "difference", "(points)", "(Holm)"):
        assert text in page
    for figure in FIGURES:
        assert page.count(figure) == len(NAMES) * len(SPLITS)
    if width >= 80:
        assert max(map(len, page.splitlines())) <= width


def test_columns_under_one_heading_stay_together_and_each_part_has_the_names() -> None:
    page = printed(WIDE, 100)
    assert page.count("Accuracy") == page.count(NAMES[1]) == len(SPLITS)
    assert "Accuracy, continued" in page
    assert printed(WIDE, 300).count("Accuracy") == printed(WIDE, 300).count(NAMES[1]) == 1


def test_a_pipe_has_room_for_a_hundred_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    file = io.StringIO()
    print_table(Console(file=file), Table("", (Column(""), Column("x")), (("y" * 30, "1" * 66),)))
    assert len(file.getvalue().splitlines()) == 2
