"""A Markdown table says what its cells say, whatever stands in them."""

import html
import re

import markdown as python_markdown
from markdown_it import MarkdownIt

from memreason.compare.show.markdown import document, markdown
from memreason.compare.show.tables import Column, Table

HOSTILE = [
    "<b>bold</b>", "a|b", "_under_ snake_case", "*star* **two**", "`code`", "[x](http://y)", "[x][y]", "![p](q)",
    "a\\|b", "$x$", "~~gone~~", "# head", "- list", "1. one", "&lt;", "line\nbreak", "−2.0 [−4.1, +0.1]", "p <0.001",
    "2 < 3 > 1", "<script>alert(1)</script>", "[x]: http://y", "a\u202eb",
]  # fmt: skip
TABLE = Table("Names | *all*", (Column("arm"), Column("p", "seen")), tuple((name, "0.5") for name in HOSTILE))


def texts(page: str, tag: str) -> list[str]:
    found = re.findall(rf"<{tag}\b[^>]*>(.*?)</{tag}>", page, re.DOTALL)
    assert not any("<" in each for each in found), found  # no markup within
    return [html.unescape(each) for each in found]


def test_every_cell_is_read_as_it_was() -> None:
    expected = [" ".join(name.split()).replace("\u202e", "\ufffd") for name in HOSTILE]
    for page in (
        MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown(TABLE)),
        python_markdown.markdown(markdown(TABLE), extensions=["tables"]),
    ):
        assert texts(page, "td")[::2] == expected
        assert texts(page, "th") == ["arm", "seen: p"]
        assert texts(page, "h3") == ["Names | *all*"]


def test_sentences_and_notes_are_paragraphs() -> None:
    page = (
        MarkdownIt("commonmark")
        .enable("table")
        .render(document("T", HOSTILE, [Table("x", (Column("a"),), (), ("- n",))]))
    )
    assert texts(page, "p") == [*(" ".join(name.split()).replace("\u202e", "\ufffd") for name in HOSTILE), "- n"]
