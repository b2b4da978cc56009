"""Answers in LaTeX: which are the same mathematics, which are not, and where one is found in a text."""

import threading
import time

import pytest

from memreason.answers.extract import extract_flexible, extract_strict, normalise_gold, outcome
from memreason.answers.mathematics import equality as math
from memreason.answers.mathematics.equality import clean, equal_math
from memreason.answers.mathematics.find import find_math
from memreason.answers.mathematics.worker import MathWorker
from memreason.records import Question

QUESTION = Question("q", "What is $x$?", "\\frac{1}{2}")

# A row: the gold answer, then answers that equal it, then (after the bar) answers that do not.
TABLE = {
    "fractions": r"""
        \frac{1}{2}      = 0.5 ; 1/2 ; \frac12 ; \dfrac{1}{2} ; \tfrac{2}{4} ; \frac {1} {2} | \frac{1}{3} ; 2 ; 1/2x
        -\frac{3}{4}     = \frac{-3}{4} ; -3/4 ; -0.75 ; -\frac34 | \frac{3}{4} ; -\frac{4}{3}
        \frac{1}{3}      = 1/3 ; \frac{2}{6} | 0.33 ; 0.3 ; 3
        \frac{17}{50}    = 0.34 ; .34 | 0.35 ; \frac{50}{17}
    """,
    "mixed numbers": r"""
        3\frac{1}{2}     = \frac{7}{2} ; 3.5 ; 3 1/2 ; 7/2 | \frac{3}{2} ; 31/2
        1 \frac{3}{4}    = 7/4 ; 1.75 | \frac{3}{4} ; 13/4
    """,
    "repeating decimals": r"""
        0.\overline{3}   = \frac{1}{3} ; 1/3 | 0.3 ; 0 ; 3
        0.1\overline{6}  = \frac16 | 0.16 ; 0.1
    """,
    "numbers and money": r"""
        1,234            = 1234 ; 1{,}234 ; 1\,234 ; 1,\!234 ; \$1,234 ; \$1234.00 | 1.234 ; 123
        10{,}000         = 10000 ; 10,000 | 10 ; 1000
        \$18.90          = 18.9 ; 18.90 ; $18.90$ | 18.09 ; 189
        4\times 10^{5}   = 400000 ; 4 \cdot 10^5 | 4 \times 10^4
    """,
    "units": r"""
        5\text{ cm}      = 5 ; 5 \mathrm{cm} ; 5cm ; 5\,\text{cm} ; 5 cm | 6\text{ cm} ; 50
        12\text{ in}^2   = 12 ; 12 \text{ square inches} ; 12\mbox{ inches}^2 ; 12 square inches | 144
        16\sqrt{3}\text{ units} = 16\sqrt3 | 16 ; \sqrt{3}
        30\text{ miles per hour} = 30 ; 30 mph | 3
        5                = 5 dollars ; 5 apples | 5x ; five ; 5n
    """,
    "degrees": r"""
        90^\circ         = 90 ; 90^{\circ} ; 90° ; 90 degrees ; 90\text{ degrees} | 180^\circ ; 9
        \frac{1}{2}      = \sin 30^\circ ; \cos{60^\circ} | \sin 30 ; \sin 60^\circ
    """,
    "percentages": r"""
        50\%             = 50 ; 50% ; 50 percent | 0.05 ; 5\%
        33.3\%           = 33.3 | 33 ; 0.333
    """,
    "sets and lists": r"""
        \{1,2,3\}        = \{3,1,2\} ; 1,2,3 ; \left\{1,2,3\right\} | \{1,2\} ; \{1,2,4\}
        1,-2             = -2, 1 ; 1 \text{ and } -2 ; x = 1 \text{ or } x = -2 | 1 ; 1,2 ; -1,2
        \pm 2            = 2, -2 ; -2, 2 | 2 ; \pm 3
        3 \pm \sqrt{2}   = 3+\sqrt{2}, 3-\sqrt{2} | 3+\sqrt{2}
        \emptyset        = \varnothing ; \{\} | 0 ; \{0\}
        \frac{1}{2}, \frac{1}{3} = \frac13, \frac12 | \frac12, \frac14
    """,
    "tuples": r"""
        (1,2)            = (1, 2) ; \left(1,2\right) | (2,1) ; 1 ; (1,2,3)
        \left( 3, \frac{\pi}{2} \right) = (3,\pi/2) | (3, \pi) ; (\pi/2, 3)
        (1,2),(3,4)      = (3,4), (1,2) | (1,3),(2,4)
    """,
    "intervals": r"""
        [1,2)            = \left[1,2\right) ; [1, 2) | (1,2) ; [1,2] ; (1,2]
        (3,\infty) = x>3 ; (3, +\infty) | x\ge 3 ; [3,\infty)
        (-\infty,3]      = \left(-\infty, 3\right] | (-\infty,3) ; (\infty,3]
        (-\infty,0)\cup(1,\infty) = (1,\infty)\cup(-\infty,0) | (0,1) ; (-\infty,0)
        [0.5,1]          = [\frac{1}{2},1] ; x\in[\frac12,1] | [0.5,2]
    """,
    "matrices": r"""
        \begin{matrix}1&2\\3&x\end{matrix} = \begin{bmatrix}1&2\\3&x\end{bmatrix} | \begin{bmatrix}1&3\\2&x\end{bmatrix}
        \begin{pmatrix}.5\\3\end{pmatrix} = \begin{pmatrix}\frac12\\3\end{pmatrix} | \begin{bmatrix}.5&3\end{bmatrix}
    """,
    "words": r"""
        \text{Evelyn}    = Evelyn ; \text{evelyn} ; \textbf{Evelyn} | Angela ; E
        \text{(B)}       = B ; (B) ; \mathrm{(B)} ; \text{B}. | C ; b ; 2
        \text{no solution} = no solution ; \text{No solution} | 0 ; \text{solution}
        \text{June 20}   = June 20 | June 21 ; 20
        10\text{:}30 \text{ a.m.} = 10:30 a.m. ; 10:30 \text{ a.m.} | 10:30 \text{ p.m.} ; 10
    """,
    "expressions": r"""
        x^2+2x+1         = (x+1)^2 ; 1+2x+x^2 | (x-1)^2 ; x^2+2x
        2\sqrt{3}        = \sqrt{12} ; 2\sqrt3 | \sqrt{6} ; 3.46
        \frac{1}{\sqrt{2}} = \frac{\sqrt{2}}{2} | \frac{1}{2} ; \sqrt{2}
        2^{10}           = 1024 | 20 ; 210
        2\pi             = 2 \pi ; \pi \cdot 2 | 6.28 ; \pi^2
        1+2i             = 2i+1 | 1-2i ; 3i
        5!               = 120 | 5 ; 5!!
        \binom{5}{2}     = 10 | \frac{5}{2}
        \log_2 8         = 3 | \log 8
        3t               = t \cdot 3 | 3 ; 3s
        2ab              = 2ba | 2 ; 2a
    """,
    "equations and inequalities": r"""
        x=3              = 3 ; x = 3 | x=4 ; 4
        y=2x+1           = y=1+2x | y=2x-1
        x>3              = 3<x | x<3 ; x\ge 3
    """,
    "bases": r"""
        1011_2           = 1011_{2} | 1011_3 ; 1101_2 ; 1011
    """,
}  # fmt: skip


def rows(table: dict[str, str]) -> list[tuple[str, str, str, bool]]:
    return [
        (kind, gold.strip(), answer.strip(), equal)
        for kind, lines in table.items()
        for line in lines.strip().splitlines()
        for gold, _, rest in [line.partition(" = ")]
        for side, equal in zip(rest.split(" | "), (True, False), strict=True)
        for answer in side.split(" ; ")
    ]


@pytest.mark.parametrize(("kind", "gold", "answer", "equal"), rows(TABLE))
def test_equality(kind: str, gold: str, answer: str, equal: bool) -> None:
    assert equal_math(gold, answer) is equal


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        (r"\{x|x>3\}", r"x>3"),
        (r"x<-1\text{ or }x>3", r"(-\infty,-1)\cup(3,\infty)"),
        (r"e^{i\pi}", "-1"),
        (r"\frac{\pi}{6}", r"30^\circ"),
    ],
)
def test_known_limits_equal_answers_that_are_not_seen_to_be(gold: str, answer: str) -> None:
    assert not equal_math(gold, answer)


@pytest.mark.parametrize(
    "garbage",
    ["{" * 50, r"\frac{" * 20, r"\begin{pmatrix}" * 5, "$$$", "\\", "x" * 5000, r"\text{", r"\boxed{", "=", "<", "}{",
     "1/0", r"\frac{1}{0}", "nan", "import os", "\x00", "\n", "5 because 2+3=5", "²", r"\unknown{5}",
     r"0.\overline{" + "3" * 5000 + "}", "9" * 5000],
)  # fmt: skip
def test_garbage_is_not_equal_and_harms_nothing(garbage: str) -> None:
    assert not equal_math("4", garbage)
    assert equal_math("x+y", "y+x")


def test_a_comparison_that_never_ends_is_ended_in_any_thread(caplog: pytest.LogCaptureFixture) -> None:
    worker = MathWorker()
    worker.LIMIT = 0.5
    found: list[bool] = []

    def compare() -> None:
        found.append(worker.equal("5", "9^{9^{9^9}}"))
        worker.LIMIT = 60
        found.append(worker.equal("x+y", "y+x"))

    started = time.monotonic()
    thread = threading.Thread(target=compare)
    thread.start()
    thread.join(timeout=120)
    worker.stop()
    assert found == [False, True]
    assert time.monotonic() - started < 60
    assert "taken for unequal" in caplog.text


def test_without_the_library_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(math, "_WORKER", MathWorker())
    with pytest.raises(Exception, match="pip install math-verify"):
        equal_math("a + b + c", "c + b + a")
    assert equal_math("7", "7.")  # what is the same text needs no library


@pytest.mark.parametrize(
    ("written", "answer"),
    [
        ("$5$", "5"),
        (r"\boxed{5}", "5"),
        (r"$\boxed{\frac{1}{2}}$.", r"\frac{1}{2}"),
        (r"\(x\).", "x"),
        (" a  b ", "a b"),
    ],
)
def test_what_does_not_belong_to_an_answer_comes_off(written: str, answer: str) -> None:
    assert clean(written) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"First $\boxed{3}$. Then \boxed{\frac{1}{2}}. The answer is: 4", r"\frac{1}{2}"),  # the last box
        (r"So $x=2$." + "\nThe answer is: $\\frac{1}{2}$.", r"\frac{1}{2}"),
        ("The answer is: x^2 + 1", "x^2 + 1"),
        ("The answer is 7 because $3+4$ is", "3+4"),  # the first formula of a sentence
        ("The answer is 7 because three and four make it", "7"),
        (r"The answer is \text{Evelyn}.", r"\text{Evelyn}"),
        (r"so $a=3$ and \(b=4\) hold", "b=4"),
        ("it makes 12 in all", "12"),
        ("nothing", None),
        ("", None),
    ],
)
def test_an_answer_is_found_in_a_text(text: str, answer: str | None) -> None:
    assert find_math(text) == answer


def test_extraction_and_outcome() -> None:
    assert extract_strict("$0.5$.", QUESTION, "math") == "0.5"
    assert extract_strict(" ", QUESTION, "math") is None
    assert extract_flexible("It is $x$.\nThe answer is: 0.5\nQuestion: And $y$?", QUESTION, "math") == "0.5"
    assert normalise_gold(" \\frac{1}{2}\n", QUESTION, "math") == "\\frac{1}{2}"
    assert outcome("0.5", QUESTION.answer, "math") == "correct"
    assert outcome("0.4", QUESTION.answer, "math") == "incorrect"
    assert outcome(None, QUESTION.answer, "math") == "no_answer"


# The same form: what people and models type, exact numbers, order, units.
TYPED = {
    "markdown and unicode": r"""
        17               = **17** ; `17` ; 17\  | **18**
        3\sqrt{5}        = 3√5 ; 3*sqrt(5) ; 3√(5) ; √45 | 3√6 ; 35
        y^3              = y³ ; y**3 ; y^(3) | y² ; 3y
        \frac{3}{4}      = ¾ ; 3⁄4 ; 3÷4 | ½ ; 34
        \frac{5}{2}      = 2½ | 2 ; 21/2
        -4               = –4 ; −4 ; ‐4 | 4
        [0,\infty)       = [0, ∞) ; [0,infinity) | (0, ∞)
        \frac{2}{\mathrm{e}} = \frac2e ; 2/e | \frac{2}{3}
        3\pi             = 3*pi ; 3π ; 3pi | 3p
        x\le 4           = x ≤ 4 ; x<=4 ; x\leqslant 4 | x<4
        (0,1)\cup(2,3)   = (2,3) ∪ (0,1) ; (0,1) U (2,3) | (0,3)
        12               = 3·4 ; 3×4 ; €12 | 34
        45^\circ         = 45º | 54º
        \mathbb{R}       = ℝ | ℤ
    """,
    "exact numbers": r"""
        \frac{1}{3^{50}} = \frac{3}{3^{51}} ; 3^{-50} | \frac{1}{3^{51}} ; 0 ; 0.000000
        \frac{1}{1000!}  = \frac{1001}{1001!} | \frac{1}{1001!}
        \frac{\sqrt{2}}{10^{40}} = \frac{2}{10^{40}\sqrt{2}} | \frac{\sqrt{3}}{10^{40}}
        e^{-90}          = \frac{1}{e^{90}} | 3e^{-90}
        z+\frac{1}{7^{40}} = \frac{1}{7^{40}}+z | z+\frac{1}{7^{41}}
        0.00000003       = 3\times 10^{-8} ; 3e-8 ; 3.0E-8 | 0.00000004 ; 3\times 10^{-9}
        \frac{2}{3}      = 0.666667 ; 0.66666666667 | 0.666666 ; 0.6667
        2^{64}           = 18446744073709551616 | 18446744073709551615 ; 1.844674\times 10^{19}
        21               = 21.0 | 21.0000001 ; 20.9999999
        \frac{1}{128}    = 0.0078125 ; 0.007813 | 0.0078
        \frac{1}{999999} = 1/999999 | 0.000001
        \sqrt{5+2\sqrt{6}} = \sqrt{2}+\sqrt{3} | \sqrt{2}+\sqrt{3}+\frac{1}{9^{99}}
    """,
    "variables and units": r"""
        7m               = m \cdot 7 | 7
        a+4m             = 4m+a | a+4
        \frac{1}{3}g     = \frac{g}{3} | \frac{1}{3}
        7 m              = 7 ; 7\text{ m} ; 7m | 8
        7\text{ m}       = 7m ; 7 m | 70m
        7                = 7cm ; 7 m ; 7 cm² ; 7\text{ cm}^3 | 7m ; 7g ; 7 million ; 7\text{ thousand}
        8\pi\text{ cm}^3 = 8π cm³ ; 8\pi cubic centimeters | 8\pi c ; 8\pi cubic inches
        9 meters         = 9 m ; 9\text{ metres} ; 9 ; 9m | 9 kilometers ; 9 cm ; 9\text{ ft}
        9\text{ in}^2    = 9 square inches ; 9 in² ; 9 sq in | 9 square feet ; 9\text{ cm}^2
        9 dollars        = \$9 ; 9 | 9 cents
        3km              = k \cdot 3m | 3
    """,
    "order": r"""
        (3,8)            = (3, 8) ; 3, 8 ; ⟨3,8⟩ ; (x,y)=(3,8) ; x=3, y=8 | \{3,8\} ; 8, 3 ; [3,8] ; x=8, y=3
        \{3,8\}          = \{8,3\} ; 8, 3 ; 3 \text{ or } 8 | (3,8) ; (8,3) ; [3,8]
        (1,4,9)          = (1,4,9) | \{1,4,9\} ; (9,4,1)
        \{(1,4),(2,5)\}  = \{(2,5),(1,4)\} | \{(4,1),(2,5)\} ; \{\{1,4\},\{2,5\}\}
        x=6, y=2         = y=2, x=6 | x=2, y=6 ; 2, 6
        \{200,300\}      = \{300, 200\} | \{200\}
        4,-4             = \pm 4 ; ±4 ; x=\pm4 ; $4$ or $-4$ | 4
        x=4              = 4 | x=4 or x=-4 ; \pm 4
    """,
}


@pytest.mark.parametrize(("kind", "gold", "answer", "equal"), rows(TYPED))
def test_equality_of_what_is_typed(kind: str, gold: str, answer: str, equal: bool) -> None:
    assert equal_math(gold, answer) is equal


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"So \boxed{2} or \boxed{-2}.", "2, -2"),
        (r"So $x=\boxed{2}$, $y=\boxed{3}$, and $z=\boxed{4}$.", "2, 3, 4"),
        (r"First \boxed{7}. In the end we have \boxed{2}.", "2"),
        (r"That makes \boxed 2.75.", "2.75"),
        (r"The answer is $x=2$ or $x=-2$.", "x=2, x=-2"),
        ("The answer is: **2√3**", "2√3"),
        ("**Final Answer**\n\n$2x$\n\nIt took $3$ lines.", "2x"),
        ("<answer>2x</answer> as $3$ says", "2x"),
        ("<think>The answer is 9.</think>The answer is 2x", "2x"),
        ("<think>The answer is 9.", None),
    ],
)
def test_what_marks_an_answer_is_read(text: str, answer: str | None) -> None:
    assert extract_flexible(text, QUESTION, "math") == answer


@pytest.mark.parametrize(
    "piece", [r"\text{", "answer is ", r"\(", r"\boxed{", "$$ ", "{", "(", "√", "1,", "\n", "**", r"\pm "]
)
def test_repetition_takes_no_time(piece: str) -> None:
    text = piece * (50_000 // len(piece))
    find_math(text)
    assert not equal_math("4", text)
    assert not equal_math("4", text[:400])


@pytest.mark.parametrize(
    ("gold", "answer", "equal"),
    [
        (r"7\text{ m}", r"7\text{km}", False),
        (r"7~\text{m}", r"7\,\mathrm{ft}", False),
        (r"7\ \text{litres}", r"7\ \text{gallons}", False),
        (r"7\text{ m/s}", r"7\text{ km/h}", False),
        (r"7\text{ miles per hour}", "7 mph", True),
        (r"7\text{ cm}^2", r"7\text{ cm}^3", False),
        (r"7\text{ cm}^2", "7 square centimeters", True),
        (r"\$7", "7 cents", False),
        (r"\$7", "7 dollars", True),
        (r"70^\circ", r"70\text{ radians}", False),
        (r"70^\circ\text{C}", r"70^\circ\text{F}", False),
        (r"70\%", r"70^\circ", False),
        (r"70\%", "70 percent", True),
        ("7'", '7"', False),
        ("6'2\"", "62", False),
        ("y'", "y", False),
        ("g''(x)", "g'(x)", False),
        ("y'=3x", "3x", True),
        (r"x\in\{2,7\}", "(2,7)", False),
        (r"S=(2,7)", r"\{2,7\}", False),
        (r"S=\{2,7\}", r"\{7,2\}", True),
        (r"x\in(2,7)", "(2,7)", True),
    ],
)
def test_other_units_primes_and_brackets_are_other_answers(gold: str, answer: str, equal: bool) -> None:
    assert equal_math(gold, answer) is equal
