"""Tables on the terminal: no figure is cut, and no name left out."""

import io

from rich.console import Console

from memreason.cli.tables import print_table
from memreason.compare.show.tables import Column, Table


def test_a_table_of_many_figures_is_wider_rather_than_cut() -> None:
    figures = [f"{10 + place}.5% [10.25, 99.75]" for place in range(9)]
    table = Table("", (Column(""), *(Column("a figure", "split") for _ in figures)), (("plain", *figures),))
    console = Console(file=io.StringIO(), width=80)
    print_table(console, table)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert shown.splitlines()[-1].split("  ")[0].strip() == "plain" and all(figure in shown for figure in figures)
