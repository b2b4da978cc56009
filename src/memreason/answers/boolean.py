"""True or False as answers; yes means True, and no means False. Needs no torch."""

from __future__ import annotations

import re

from memreason.answers.latex import last_boxed
from memreason.answers.marks import announced, plain, tagged, undecorated

_BOOLEANS = {"true": "True", "yes": "True", "false": "False", "no": "False"}
_ADVERBS = (
    r"(?:(?:(?:there is )?no (?:doubt|question)(?: about it)?|without (?:a |any )?doubt|of course|definitely|certainly|"
    r"clearly|absolutely|obviously|indeed|probably|(?:most )?likely|simply|surely|a|an|well)\b\W*)*"
)
# "No" counts only where its clause ends or a new one begins: in "no doubt", "no one", "no evidence" it does not.
_WORD = (
    r"(?:(true|false|yes)\b(?!\W*(?:and|or|/|&)\W*(?:true|false|yes|no)\b)(?!-\w)"
    r"|(no)\b(?!\W*(?:and|or|/|&)\W*yes\b)(?!-\w)(?!\.\s?\d)(?=\W*$|\s?[^\w\s]|\s+(?:because|since|as|it|he|she|they|this|that|there|the|we|you|but|so)\b))"
)
_SAID_BOOLEAN = re.compile(rf"\W*{_ADVERBS}{_WORD}", re.IGNORECASE)
_DRESS = re.compile(r"[*_$`\"“”]|\\(?:text|textbf|mathrm|boxed|fbox)\s*\{|[{}]")

_ALTERNATIVES = re.compile(r"\b(?:true|false|yes|no)\W*(?:and|n?or|/|&)\W*(?:true|false|yes|no)\b", re.IGNORECASE)

# Anywhere in a text: True and False (any case) where a clause ends; Yes and No also need their capital letter.
_LOOSE_BOOLEAN = re.compile(
    r"\b([Tt]rue|TRUE|[Ff]alse|FALSE|Yes|YES|No|NO)\b(?!/\w)(?!\.\s?\d)(?=\W*$|[.,;:!)]|\s[–—-]\s)", re.M
)
_DENIED = re.compile(
    r"(?:\b(?:not|cannot|no longer|never|hardly|scarcely|neither|nor|far from|anything but|less than)|n['’]t)"
    r"(?:\s+(?:be|been|a|an|the|entirely|quite|really|actually|necessarily|at all|strictly|simply|always))*\s+$",
    re.IGNORECASE,
)


def whole_boolean_line(line: str) -> str | None:
    """True or False, where a line says only this, or only yes or no; else None."""
    return _BOOLEANS.get(plain(undecorated(line)))


def find_boolean(text: str) -> str | None:
    """The answer (True or False) of a text: the one in its last box, in its last tag, or after its last "answer is".

    Without such a mark, the last True, False, Yes or No that ends a clause. None where there is none.
    """
    marks = [mark for mark in (last_boxed(text), tagged(text)) if mark]
    for marked in (*marks, *(rest for rest, _, _ in announced(text))):
        if match := _SAID_BOOLEAN.match(_DRESS.sub("", marked)):
            return _BOOLEANS[_word(match)]
    bare = _DRESS.sub("", text)
    prose = _ALTERNATIVES.sub("", bare)
    words = [match[1] for match in _LOOSE_BOOLEAN.finditer(prose) if not _DENIED.search(prose[: match.start()][-40:])]
    if words:
        return _BOOLEANS[words[-1].lower()]
    last = bare.rstrip().rpartition("\n")[2]
    match = _SAID_BOOLEAN.match(last)
    return _BOOLEANS[_word(match)] if match and _word(match) in ("yes", "no") else None


def _word(match: re.Match[str]) -> str:
    return (match[1] or match[2]).lower()
