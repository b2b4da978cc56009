"""Tables in LaTeX, with the rules of the package booktabs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from memreason.compare.show.tables import Table
from memreason.runtime.pages import plain

_SIGNS = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"$<$", ">": r"$>$", "|": r"\textbar{}",
    '"': r"\textquotedbl{}", "−": r"$-$", "–": "--", "—": "---", "…": r"\ldots{}", "→": r"$\to$", "×": r"$\times$",
    "≤": r"$\leq$", "≥": r"$\geq$", "≈": r"$\approx$", "±": r"$\pm$", "κ": r"$\kappa$", "\u00a0": "~", "’": "'",
}  # fmt: skip


def latex(table: Table, label: str = "") -> str:
    """A `table` environment of the table: its title is the caption, its notes stand below it.

    It needs `\\usepackage{booktabs}`. Characters beyond ASCII that stand here for signs are written as commands;
    letters stay as they are, as every LaTeX since 2018 reads UTF-8.
    """
    lines = [r"\begin{table}", r"\centering", rf"\caption{{{text(table.title)}}}"]
    lines += [rf"\label{{{re.sub(r'[^A-Za-z0-9:.-]', '-', label)}}}"] if label else []
    lines += [rf"\begin{{tabular}}{{l{'r' * (len(table.columns) - 1)}}}", r"\toprule"]
    if any(name for name, _ in table.groups):
        lines += _headings(table.groups)
    lines += [_row([column.title for column in table.columns]), r"\midrule"]
    lines += [*map(_row, table.rows), r"\bottomrule", r"\end{tabular}"]
    lines += [rf"\par\smallskip{{\footnotesize {text(note)}\par}}" for note in table.notes]
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def text(words: object) -> str:
    """Text of one paragraph in which every character stands for itself."""
    return "".join(_SIGNS.get(sign, sign) for sign in re.sub(r"[\n\t]+", " ", plain(words)))


def _headings(groups: Sequence[tuple[str, int]]) -> list[str]:
    cells, rules, at = [], [], 1
    for name, wide in groups:
        cells.append(rf"\multicolumn{{{wide}}}{{c}}{{{text(name)}}}" if name else "" if wide == 1 else "&" * (wide - 1))
        rules += [rf"\cmidrule(lr){{{at}-{at + wide - 1}}}"] if name else []
        at += wide
    return [f"{' & '.join(cells)} \\\\", " ".join(rules)]


def _row(cells: Sequence[str]) -> str:
    # A row that began with a bracket would be read as the space behind the row before it.
    texts = [f"{{}}{cell}" if cell.startswith("[") else cell for cell in map(text, cells)]
    return f"{' & '.join(texts)} \\\\"
