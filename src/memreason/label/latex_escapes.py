r"""LaTeX in a reply's JSON, where single backslashes stand for double ones.

A model that writes "$\frac{1}{2}$" into JSON has written a form feed, and `\theta` begins with a tab: valid
JSON that says something else. What can only be LaTeX is escaped before the JSON is read; line breaks and tabs
that are meant as such stay.
"""

from __future__ import annotations

import re

_ESCAPE = re.compile(
    r"\\(?:(?P<pair>\\)|(?P<whole>u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2})"
    r"|(?P<half>u[dD][89a-fA-F][\da-fA-F]{2})|(?P<hex>u[\da-fA-F]{4})|(?P<word>[A-Za-z]+)|(?P<valid>[\"/'])|)"
)
_BEGINS = re.compile(r"(?<!\\)\\(?:begin|end)\b")

# Commands that begin with a letter which JSON knows as an escape for white space. No text has a form feed, a
# backspace, or a carriage return before a letter: whatever begins with one of those is a command.
_COMMANDS = re.compile(
    "nabla|natural|ncong|nearrow|neg|neq|newcommand|newline|ngeq|ngtr|nleftarrow|nLeftarrow|n[lL]eftrightarrow|nRightarrow|nleq|nobreak|noindent|nolinebreak|newpage|nolimits|nonumber|norm"
    "|normalsize|not|notag|notin|nparallel|nprec|nrightarrow|nsim|nsubset|nsupset|nsubseteq|nsucc|nsupseteq|ntriangle(?:left|right)|n[vV][dD]ash"
    "|nwarrow|tag|tanh|tau|tbinom|text(?:asciitilde|backslash|bf|color|degree|it|md|normal|quotesingle|rm|sc|sf|style"
    "|subscript|superscript|tt|up|width)?|tfrac|therefore|theta|thetasym|thick(?:approx|sim)|thinspace|tilde|times|tiny|top"
    "|triangle(?:down|left|lefteq|q|right|righteq)?|tt|twoheadrightarrow"
)
_WORDS_TOO = re.compile("ne|nexists|ni|nless|nmid|nu|tan|to")
"""Commands of which the rest could be a word of its own after a line break or a tab ("\\ni think", "\\ne.g.")."""


def escape_latex(text: str) -> str:
    r"""``text`` (JSON, or prose with JSON in it) with backslashes doubled where only LaTeX can be meant.

    Halves of surrogate pairs, which no file can hold, become question marks. A command whose rest could be a word
    (`\ne`, `\to`) counts as one inside dollar signs, or where the text has other commands without doubled
    backslashes. Where it has environments so (`\begin{…}`), the line breaks in them are single too.
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
    """Whether only a command can be meant, whatever stands around it."""
    word = match["word"]
    if not word:
        return False
    if word[0] in "nt":
        return bool(_COMMANDS.fullmatch(word)) or match.string[match.end() : match.end() + 1] == "{"
    return word[0] in "bf" or word != "r"
