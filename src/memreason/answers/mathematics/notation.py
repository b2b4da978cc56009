"""Converting mathematics as people and models type it (2√3, x², ½, -2*pi, 1.5e-3) into LaTeX. Needs no torch."""

from __future__ import annotations

import re
import unicodedata

_RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿⁱˣ", "0123456789+-()nix", strict=True))
_LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋₍₎ₙₓ", "0123456789+-()nx", strict=True))
_GREEK_NAMES = (
    "alpha beta gamma delta epsilon zeta eta theta kappa lambda mu nu xi pi rho sigma tau phi phi chi psi omega "
    "Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega"
)
_GREEK = dict(zip("αβγδεζηθκλμνξπρστφϕχψωΓΔΘΛΞΠΣΦΨΩ", _GREEK_NAMES.split(), strict=True))
_SIGNS = str.maketrans(
    dict.fromkeys("−–‐‑‒﹣－", "-")
    | dict.fromkeys("·⋅∙•∗", r"\cdot ")
    | dict.fromkeys("º˚", "°")
    | dict.fromkeys("≤⩽≦", r"\le ")
    | dict.fromkeys("≥⩾≧", r"\ge ")
    | dict.fromkeys("∅⌀", r"\emptyset ")
    | dict.fromkeys("“”„", '"')
    | {"×": r"\times ", "÷": "/", "∕": "/", "⁄": "/", "±": r"\pm ", "∓": r"\mp ", "≠": r"\ne ", "∞": r"\infty ",
       "∈": r"\in ", "∪": r"\cup ", "∩": r"\cap ", "ℝ": r"\mathbb{R}", "ℤ": r"\mathbb{Z}", "ℕ": r"\mathbb{N}",
       "ℚ": r"\mathbb{Q}", "ℂ": r"\mathbb{C}", "∖": r"\setminus ", "、": ",", "∶": ":", "〈": "⟨", "〉": "⟩",
       "ℯ": "e", "ⅈ": "i"}
    | {sign: rf"\{name} " for sign, name in _GREEK.items()}
)  # fmt: skip
_FRACTIONS = {
    sign: rf"\frac{{{over}}}{{{under}}}"
    for sign in "¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"
    for over, _, under in [unicodedata.normalize("NFKC", sign).partition("⁄")]
}
_COMMANDS = (
    (re.compile(r"\\langle\b\s*"), "⟨"),
    (re.compile(r"\\rangle\b"), "⟩"),
    (re.compile(r"\\[lr]brace\b\s*"), lambda match: r"\{" if match[0][1] == "l" else r"\}"),
    (re.compile(r"\\(?:nice|s|x|t|d|c)frac\b"), r"\\frac"),
    (re.compile(r"\\(l|g)eqslant\b"), r"\\\1e"),
    (re.compile(r"\\degree\b|\\textdegree\b"), r"^\\circ "),
    (re.compile(r"\\ast\b"), r"\\cdot "),
    (re.compile(r"\\(?:displaystyle|limits|nolimits)\b\s*"), ""),
    (re.compile(r"\{([^{}]+)\\over\b([^{}]+)\}"), r"\\frac{\1}{\2}"),
    # Upright e and i are constants; any bold or italic letter is a variable. Other upright letters may be a unit.
    (re.compile(r"\\(?:mathrm|text|textrm|textnormal|operatorname|mathop)\s*\{\s*([ei])\s*\}|\{\\rm\s+([ei])\s*\}"),
     lambda match: f"{{{match[1] or match[2]}}}"),
    (re.compile(r"\\(?:mathit|mathbf|mathnormal|boldsymbol|bm)\s*\{\s*([A-Za-z])\s*\}"), r"{\1}"),
)  # fmt: skip
_SIZES = re.compile(r"\\(?:left|right|[bB]igg?[lrm]?)\s*(?:(?=\\[{}|]|[()\[\]{}|/⟨⟩])|\.)")
_PLAIN = (
    (re.compile(r"\*\*"), "^"),
    (re.compile(r"\*"), r"\\cdot "),
    (re.compile(r"<=|=<"), r"\\le "),
    (re.compile(r">="), r"\\ge "),
    (re.compile(r"!=(?!=)"), r"\\ne "),
    (re.compile(r"(?<=[)\]])\s*U\s*(?=[(\[])"), r"\\cup "),
    (re.compile(r"(?<![A-Za-z\\])(pi|theta|alpha|beta|gamma|lambda|phi|omega)(?![A-Za-z{])"), r"\\\1 "),
    (re.compile(r"(?<![A-Za-z\\])(?:infinity|infty|inf)(?![A-Za-z])", re.IGNORECASE), r"\\infty "),
    (
        re.compile(r"(?<![A-Za-z\\])(sin|cos|tan|cot|sec|csc|ln|log|exp|arcsin|arccos|arctan)(?=\s*[\d(\\xyz])"),
        r"\\\1 ",
    ),
    (re.compile(r"[€£¥₹]\s*(?=\d)|(?<=\d)\s*[€£¥₹]"), ""),
)
_POWER_OF_TEN = re.compile(
    r"(?<![\w.])((?:\d+\.\d*|\.\d+)[eE][+-]?\d{1,3}|\d+(?:E[+-]?\d{1,3}|e\+\d{1,3}|e-\d{2,3})|1e-?\d{1,3})(?![\w.])"
)
_ROOTS = {"√": r"\sqrt", "∛": r"\sqrt[3]", "∜": r"\sqrt[4]"}
_BARE_ROOTS = (
    (re.compile(r"(?<![\\A-Za-z])sqrt|\\sqrt(?=\s*[(\d])"), "√"),
    (re.compile(r"(?<![\\A-Za-z])cbrt"), "∛"),
)
_POWER = re.compile(r"\^\s*\(")
_UNDER_ROOT = re.compile(r"\s*(\d+(?:\.\d+)?|[A-Za-z]|\\[A-Za-z]+)")


def to_latex(text: str) -> str:
    """``text`` in LaTeX that math-verify can read; parts that are LaTeX already stay."""
    text = re.sub(f"[{''.join(_RAISED)}]+", lambda run: f"^{{{_spelled(run[0], _RAISED)}}}", text)
    text = re.sub(f"[{''.join(_LOWERED)}]+", lambda run: f"_{{{_spelled(run[0], _LOWERED)}}}", text)
    text = "".join(_FRACTIONS.get(sign, sign) for sign in text).translate(_SIGNS)
    text = unicodedata.normalize("NFKC", text)
    for pattern, replacement in _COMMANDS:
        text = pattern.sub(replacement, text)  # type: ignore[arg-type]
    if r"\begin" not in text:
        text = _SIZES.sub("", text)
    text = _POWER_OF_TEN.sub(lambda number: power_of_ten(number[0]), text)
    for pattern, root in _BARE_ROOTS:
        text = pattern.sub(root, text)
    text = _rooted(text)
    for pattern, plain in _PLAIN:
        text = pattern.sub(plain, text)
    return _raised(text)


def power_of_ten(number: str) -> str:
    r"""`1.5e-3` → `1.5\times 10^{-3}`."""
    digits, _, power = number.lower().partition("e")
    return rf"{digits}\times 10^{{{int(power)}}}"


def _spelled(run: str, signs: dict[str, str]) -> str:
    return "".join(signs[sign] for sign in run)


def _rooted(text: str) -> str:
    """``text`` with each root sign as a command: `√(x+1)`, `√{2}`, `√12` → `\\sqrt{x+1}`, `\\sqrt{2}`, `\\sqrt{12}`."""
    for sign, command in _ROOTS.items():
        while (at := text.rfind(sign)) >= 0:  # from the right, so that inner roots come first
            rest = text[at + 1 :].lstrip()
            if rest[:1] in ("(", "{") and (end := _closing(rest)):
                under, rest = rest[1:end], rest[end + 1 :]
            elif match := _UNDER_ROOT.match(rest):
                under, rest = match[1], rest[match.end() :]
            else:
                under = ""
            text = f"{text[:at]}{command}{{{under}}}{rest}"
    return text


def _raised(text: str) -> str:
    """`x^(2n)` → `x^{2n}`."""
    at = 0
    while match := _POWER.search(text, at):
        start = match.end() - 1
        end = _closing(text[start:])
        if not end:
            break
        text = f"{text[: match.start()]}^{{{text[start + 1 : start + end]}}}{text[start + end + 1 :]}"
        at = match.start() + 1
    return text


def _closing(text: str) -> int | None:
    """The index at which the parenthesis or brace at the start of ``text`` is closed, or None."""
    depth = 0
    for at, sign in enumerate(text):
        depth += (sign in "({") - (sign in ")}")
        if depth == 0:
            return at
    return None
