"""LaTeX tables with booktabs in which every character stands for itself."""

import re

from helpers.comparisons import SEVERAL, SINGLE

from memreason.compare.show.latex import latex, text
from memreason.compare.show.tables import Column, Table, arms, differences


def test_characters_that_latex_reads_as_commands_are_escaped() -> None:
    assert text(r"a_b & 50% of $x$ #1 {~^} \end") == (
        r"a\_b \& 50\% of \$x\$ \#1 \{\textasciitilde{}\textasciicircum{}\} \textbackslash{}end"
    )
    assert text("−2 <0.001 – é") == r"$-$2 $<$0.001 -- é"
    assert text("two\n\nparagraphs") == "two paragraphs"


def test_a_table_is_whole() -> None:
    made = latex(differences({"": SINGLE.to_json()}, "Accuracy"), "tab:x_1")
    assert made.splitlines() == [
        r"\begin{table}",
        r"\centering",
        r"\caption{Accuracy}",
        r"\label{tab:x-1}",
        r"\begin{tabular}{lrrrr}",
        r"\toprule",
        r" & difference (points) & p & detectable & verdict \\",
        r"\midrule",
        r"typed $-$ plain & $-$2 [$-$11, +7] & 0.83 & 13 & tied \\",
        r"\bottomrule",
        r"\end{tabular}",
        r"\par\smallskip{\footnotesize 95\% intervals: paired (Newcombe). p: McNemar's exact test. Detectable: the "
        r"smallest true difference that such data would have shown, p $<$ 0.05, with a chance of 80\%. Tied: "
        r"statistically tied; smaller differences than the detectable one may well have been missed.\par}",
        r"\end{table}",
    ]


def test_headings_over_several_columns_have_their_rules() -> None:
    made = latex(arms({"seen": SEVERAL.to_json(), "un_seen": SEVERAL.to_json()}))
    assert r" & \multicolumn{4}{c}{seen} & \multicolumn{4}{c}{un\_seen} \\" in made
    assert r"\cmidrule(lr){2-5} \cmidrule(lr){6-9}" in made
    rows = [row for row in made.splitlines() if row.endswith(r"\\") and "multicolumn" not in row]
    assert all(len(re.findall(r"(?<!\\)&", row)) == 8 for row in rows) and len(rows) == 4


def test_a_row_that_begins_with_a_bracket_is_no_option_of_the_row_before() -> None:
    assert r"{}[1] \\" in latex(Table("", (Column("a"),), (("[1]",),)))
