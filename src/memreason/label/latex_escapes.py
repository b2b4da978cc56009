r"""Mends LaTeX in a reply's JSON whose backslashes should be double, but are single.

In JSON, "$\frac{1}{2}$" begins with a form feed, and `\theta` with a tab: this is valid JSON, but not what the model
meant. Here a backslash that can only belong to LaTeX is doubled before the JSON is read. Real line breaks and tabs
stay.
"""

from __future__ import annotations

import re

_ESCAPE = re.compile(
    r"\\(?:(?P<pair>\\)|(?P<whole>u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2})"
    r"|(?P<half>u[dD][89a-fA-F][\da-fA-F]{2})|(?P<hex>u[\da-fA-F]{4})|(?P<word>[A-Za-z]+)|(?P<valid>[\"/'])|)"
)
_BEGINS = re.compile(r"(?<!\\)\\(?:begin|end)\b")

# Commands that begin with n or t, since \n and \t are white space in JSON. (A form feed, a backspace or a
# carriage return never stands before a letter in a real text, so \f, \b and \r with letters after them are commands.)
_COMMANDS = re.compile(
    "nabla|natural|ncong|nearrow|neg|neq|newcommand|newline|ngeq|ngtr|nleftarrow|nLeftarrow|n[lL]eftrightarrow|nRightarrow|nleq|nobreak|noindent|nolinebreak|newpage|nolimits|nonumber|norm"
    "|normalsize|not|notag|notin|nparallel|nprec|nrightarrow|nsim|nsubset|nsupset|nsubseteq|nsucc|nsupseteq|ntriangle(?:left|right)|n[vV][dD]ash"
    "|nwarrow|tag|tanh|tau|tbinom|text(?:asciitilde|backslash|bf|color|degree|it|md|normal|quotesingle|rm|sc|sf|style"
    "|subscript|superscript|tt|up|width)?|tfrac|therefore|theta|thetasym|thick(?:approx|sim)|thinspace|tilde|times|tiny|top"
    "|triangle(?:down|left|lefteq|q|right|righteq)?|tt|twoheadrightarrow"
)
_WORDS_TOO = re.compile("ne|nexists|ni|nless|nmid|nu|tan|to")
"""Commands that can also be a line break or a tab and a short word ("\\ni think", "\\ne.g.")."""


def escape_latex(text: str) -> str:
    r"""``text`` (JSON, or prose with JSON in it), with backslashes doubled where only LaTeX can be meant.

    Some commands could also be white space and a word (`\ne`, `\to`). They count as commands inside dollar signs, and
    in a text that has other commands with single backslashes. If environments have single backslashes (`\begin{…}`),
    so have the line breaks in them. Halves of surrogate pairs, which no file can hold, become question marks.
    """
    if "\\" not in text:
        return text
    in_rows = bool(_BEGINS.search(text))
    by_habit = any(_is_plain_command(match) for match in _ESCAPE.finditer(text))

    def escaped(match: re.Match[str]) -> str:
        if match["pair"]:
            following = text[match.end() : match.end() + 1]
            return r"\\\\" if in_rows and not following.isalpha() else match[0]
        if match["half"]:
            return "?"
        if match["word"]:
            return "\\" + match[0] if _is_command(match, by_habit) else match[0]
        return match[0] if match["whole"] or match["hex"] or match["valid"] else "\\" + match[0]

    return _ESCAPE.sub(escaped, text)


def _is_command(match: re.Match[str], by_habit: bool) -> bool:
    if _is_plain_command(match):
        return True
    if not _WORDS_TOO.fullmatch(match["word"] or ""):
        return False
    before = match.string[max(0, match.start() - 200) : match.start()]
    in_maths = before.rpartition('"')[2].count("$") % 2 == 1
    return in_maths or (by_habit and match.string[match.end() : match.end() + 1] != ".")


def _is_plain_command(match: re.Match[str]) -> bool:
    """Whether this can only be a command, whatever stands around it."""
    word = match["word"]
    if not word:
        return False
    if word[0] in "nt":
        return bool(_COMMANDS.fullmatch(word)) or match.string[match.end() : match.end() + 1] == "{"
    return word[0] in "bf" or word != "r"
