r"""Single backslashes of LaTeX in JSON: no command becomes a control character, and no line break a command."""

import json

import pytest

from memreason.label.latex_escapes import escape_latex


def decoded(written: str) -> str:
    """What a JSON text holds that is written as ``written``, without its quotes."""
    return json.loads(escape_latex(f'"{written}"'))


COMMANDS = [
    r"\frac", r"\forall", r"\beta", r"\bar", r"\big", r"\binom", r"\begin", r"\nabla", r"\neq", r"\notin", r"\nonumber",
    r"\rho", r"\right", r"\rightarrow", r"\rangle", r"\theta", r"\times", r"\text", r"\textbf", r"\tfrac", r"\tilde",
    r"\triangle", r"\therefore", r"\underline", r"\upsilon", r"\uparrow", r"\alpha", r"\sum", r"\Delta",
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_with_one_backslash_stays_a_command_as_does_one_with_two(command: str) -> None:
    for text in (f"so ${command}{{x}}$ holds", f"{command} x", f"of {command}_1, say", f"({command})"):
        assert decoded(text) == text
        assert decoded(text.replace("\\", "\\\\")) == text


@pytest.mark.parametrize("command", [r"\ne", r"\ni", r"\nu", r"\to", r"\tan"])
def test_a_command_whose_rest_could_be_a_word_is_known_by_what_stands_around_it(command: str) -> None:
    assert decoded(f"so $a {command} b$") == f"so $a {command} b$"
    assert decoded(rf"\alpha {command} \beta") == rf"\alpha {command} \beta"
    assert decoded(f"costs 5 {command} nothing") == json.loads(f'"costs 5 {command} nothing"')


@pytest.mark.parametrize(
    "written",
    [r"a line\nThe next", r"one\n\n- two\n* three", r"a\tb\tnext\tto it", r"Windows\r\nnot\r\n", r"say\ne.g. this",
     r"end\n", r"\"quoted\" and\/or", r"\u00e9 \ud83d\ude00", r"C:\\new\\table", r"\\frac{1}{2}\nso\\theta\tb",
     r"1\\\\2\nso", r"$$\nx = 5\n$$"],
)  # fmt: skip
def test_what_is_escaped_as_json_wants_it_is_left_alone(written: str) -> None:
    assert decoded(written) == json.loads(f'"{written}"')


def test_line_breaks_stay_beside_commands() -> None:
    assert decoded(r"first $\theta$\nThen $\frac12$\tand") == "first $\\theta$\nThen $\\frac12$\tand"


@pytest.mark.parametrize("text", [r"\(x\) and \[y\]", r"5\% of \$3", r"\{a, b\}", r"a\,b\;c\ d", r"a_1 \_ \#"])
def test_signs_after_one_backslash_keep_it(text: str) -> None:
    assert decoded(text) == text


def test_rows_of_a_matrix_keep_both_backslashes_where_its_commands_have_one() -> None:
    matrix = r"\begin{pmatrix}1 & 2\\3 & 4\\ \end{pmatrix}"
    assert decoded(matrix) == matrix
    assert decoded(matrix.replace("\\", "\\\\")) == matrix


def test_a_command_that_no_list_knows_is_one_before_a_brace() -> None:
    assert decoded(r"$\norm{x} = \tr{A}$") == r"$\norm{x} = \tr{A}$"


@pytest.mark.parametrize("half", [r"\ud83d", r"\ude00", r"\uDFFF \uD800"])
def test_half_of_a_surrogate_pair_becomes_a_question_mark(half: str) -> None:
    assert set(decoded(f"{half}")) <= {"?", " "}


def test_rarer_commands_are_no_line_breaks() -> None:
    assert decoded(r"\noindent a \nRightarrow b") == r"\noindent a \nRightarrow b"
