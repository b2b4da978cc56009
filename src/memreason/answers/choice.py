"""Letters as answers: only letters of options, and never a capital letter of ordinary prose. Needs no torch."""

from __future__ import annotations

import re

from memreason.answers.latex import last_boxed
from memreason.answers.marks import PHRASE, after_hashes, announced, plain, tagged, undecorated
from memreason.records import Question

SEVERAL = ""
"""Returned by the readers here where a text gives two letters, or a letter and another option's text: no answer."""

_LETTER_LINE = re.compile(r"(?:option |choice )?(?:\(([A-Z])\)|\[([A-Z])\]|([A-Z])[.):]?)", re.IGNORECASE)
_LABELLED_OPTION = re.compile(r"(?:\(([A-Za-z])\)|([A-Za-z])[.):,]|([A-Za-z])(?=\s+[-–—]))\s*[-–—]?\s*(.+)")
_PHRASE = re.compile(
    PHRASE.pattern
    + r"|\bi(?:['’]d|['’]ll| would| will)? (?:pick|choose|select|go with|opt for)\b"
    + r"|\b(?:option|choice|letter|selection)\s*(?:\bis\b(?! not\b)|\bwould be\b|\bmust be\b)[*_]*:?"
    + r"|\b(?:correct|right|best) (?:option|choice|letter|selection)[*_]*:"
    + r"|选(?:择|項|项)?\s*[:：]?\s*(?=[(（]?[A-Z])",
    PHRASE.flags,
)
_DRESS = re.compile(r"\*\*|\$|`|\\(?:text|textbf|mathrm|mathbf|mbox|boxed|fbox)\s*\{|\\[()\[\]]|[{}\"“”]")

# Directly after a mark: a letter, at whose end the clause must end too.
_SAID_LETTER = re.compile(
    r"\W*(?:(?:either|both|(?:the )?(?:option|choice|letter|answer))\W+)?([A-Z])(?![A-Za-z\d_]|['’]\w|-\w)", re.I
)
_ENDS = re.compile(r"\s*(?:$|[^\w\s'’-]|[^\x00-\u024f])|\s+(?:-|because\b|since\b|due to\b|given\b)")
_ENDS_IN_PROSE = re.compile(r"\s+(?:as|for|which|so|but|not|where|in|by|the|is|and not)\b")
_JOINED = re.compile(
    r"[\s)\]*.]*(?:[,/&、和或]|\b(?:and|or|und|oder|et|ou|y|o)\b)+\s*(?:(?:also|or|and|maybe|option|choice|letter)\s+)*"
    r"[(\[]?(?:[AI]\b(?!\s+[a-z])|[B-HJ-Z]\b)(?!['’-]\w)"
)
_CLAUSE_ENDS = re.compile(r"\s*(?:$|[;:!)(]|[.,](?!\d))|\s+(?:because|since|as)\b")

# Without a mark: (B); or B. / B) / B at a line's end. The last three count only at the start of a line, or after a
# word that announces an option, so that "vitamin C." and "Samuel L. Jackson" do not count.
_LOOSE_LETTER = re.compile(
    r"\(([A-Z])\)|(?:^|[:=]|\b(?:is|be|option|choice|answer))[ \t*\"'$]*([A-Z])(?:[.)](?=\s|$)|[*\"'$]*[ \t]*$)"
    r"|\b(?:[Oo]ption|[Cc]hoice|^)[ *]*([A-Z])\b(?=[ *]+is )",
    re.M,
)
_MOST_LETTERS = 200
_ASSERTS = re.compile(r"\b(?:is|be|pick|choose|select|with)\s+(?:the )?(?:option |choice |answer )?[*\"'$]*$", re.I)
_ASSERTED = re.compile(
    r"[*\"')\].]*\s+(?:is|seems|must be)\s+(?:[a-z]+ly\s+)?(?:the\s+)?(?:most |only )?"
    r"(?:correct|right|best|answer|true)\b",
    re.I,
)
_DENIED = re.compile(
    r"(?:\b(?:not|cannot|never|than|nor|neither)|n['’]t)\s+(?:be )?(?:the )?(?:option |choice )?[*\"'$]*$", re.I
)
_REJECTED = re.compile(
    r"[*\"')\].]*\s+(?:(?:is|are|was|seems|looks|must be)\s+(?:\w+ly\s+|also\s+)?(?:not|wrong|incorrect|false|out"
    r"|eliminated|ruled out)\b|(?:isn|can|cannot|couldn|doesn)(?:['’]t)?\b)",
    re.I,
)
_REASON_LINE = re.compile(r"\(?([A-Z])\)?\s+(?:because|since)\b")


def option_letters(question: Question) -> str:
    """The letters that can be an answer: one for each option, or all letters if the question has no options."""
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(question.options) or None]


def whole_letter_line(line: str, question: Question) -> str | None:
    """The letter of an option, where a line is only this letter, or this letter and its option's text; else None."""
    line = undecorated(line)
    if match := _LETTER_LINE.fullmatch(line):
        return _known(match, question)
    if match := _LABELLED_OPTION.fullmatch(line):
        letter = _known(match, question)
        return letter if letter and letter == option_named(match[4], question) else None
    return None


def find_letter(text: str, question: Question) -> str | None:
    """The letter that a text gives as its answer, or None.

    It is looked for in the last box or tag, after the last ####, after "answer is" or "I pick", and in the last line.
    An option's text in these places stands for its letter. Without such a mark, letters in parentheses, with a dot,
    or at a line's end count: of several, the last one that is asserted ("must be (B)", "B is correct"), else one that
    ends the text. Two letters, or a letter before another option's text, are no answer.
    """
    marks = [mark for mark in (last_boxed(text), tagged(text), *after_hashes(text)[:1]) if mark]
    for marked in (*marks, *(rest for rest, _, _ in announced(text, _PHRASE))):
        if (letter := _marked_letter(marked, question)) is not None:
            return letter or None
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if not lines:
        return None
    if _is_listing(lines, question):
        return None
    if letter := whole_letter_line(lines[-1], question) or option_named(undecorated(lines[-1]), question):
        return letter
    if (match := _REASON_LINE.match(lines[-1])) and (letter := _known(match, question)):
        return letter
    return _loose(text, question)


def _is_listing(lines: list[str], question: Question) -> bool:
    """Whether a text ends in a list of the question's options, one per line."""
    if len(lines) < 2 or not all(_LABELLED_OPTION.fullmatch(undecorated(line)) for line in lines[-2:]):
        return False
    before, last = (whole_letter_line(line, question) for line in lines[-2:])
    return bool(before and last) and ord(last or "A") - ord(before or "A") == 1


def _lists(letter: str, following: str, question: Question) -> bool:
    """Whether ``letter`` begins a list of the options on one line: A. Paris B. Rome."""
    listed = re.match(rf"\s*[).:]?\s+(.*?)[,;]?\s+\(?{chr(ord(letter) + 1)}[).:]\s", following)
    return bool(listed) and option_named(listed[1], question) == letter  # type: ignore[index]


def option_named(text: str, question: Question) -> str | None:
    """The letter of the option with this text (`plain` of both is equal); None for no such option, or several."""
    named = [i for i, option in enumerate(question.options) if plain(option) == plain(text)]
    return option_letters(question)[named[0]] if len(named) == 1 else None


def _known(match: re.Match[str], question: Question) -> str | None:
    letter = next(filter(None, match.groups())).upper()
    return letter if letter in option_letters(question) else None


def _marked_letter(rest: str, question: Question) -> str | None:
    """The letter at the start of ``rest``, the text at a mark; `SEVERAL` for more than one, None for none."""
    if letter := option_named(rest, question) or option_named(undecorated(rest), question):
        return letter
    rest = _DRESS.sub("", rest)
    match = _SAID_LETTER.match(rest)
    if match and (letter := _known(match, question)):
        following = rest[match.end() :]
        if _JOINED.match(following) or _lists(letter, following, question):
            return SEVERAL
        in_prose = match[1].isupper() and match[1] not in "AI" and _ENDS_IN_PROSE.match(following)
        if in_prose or _ENDS.match(following):
            return SEVERAL if _names_another(following, letter, question) else letter
    return _option_begun(rest, question)


def _names_another(following: str, letter: str, question: Question) -> bool:
    """Whether the text after ``letter`` is that of another option."""
    text = following.lstrip(").]:-–—, ")
    clause = re.split(r"[.;,(]\s|\s(?:because|since)\b", text, maxsplit=1)[0]
    named = option_named(text, question) or option_named(clause, question)
    return named not in (None, letter) and bool(re.match(r"\s*(?:[).\]:]|[-–—]\s)", following))


def _option_begun(rest: str, question: Question) -> str | None:
    """The letter of the option with whose text ``rest`` begins, if the clause ends there; `SEVERAL` if another option
    follows; else None."""
    start = plain(rest)
    texts = {plain(option): letter for option, letter in zip(question.options, option_letters(question), strict=False)}
    for text in sorted(texts, key=len, reverse=True):
        if text and start.startswith(text) and len(texts) == len(question.options):
            following = start[len(text) :]
            if re.match(r"\W*(?:and|or|,)\W*(?:" + "|".join(map(re.escape, texts)) + r")\b", following):
                return SEVERAL
            return texts[text] if _CLAUSE_ENDS.match(following) else None
    return None


def _loose(text: str, question: Question) -> str | None:
    asserted: list[str] = []
    others: list[tuple[str, int]] = []
    for match in list(_LOOSE_LETTER.finditer(text))[-_MOST_LETTERS:]:
        group = next(number for number in (1, 2, 3) if match[number])
        letter, before = match[group], text[max(0, match.start(group) - 30) : match.start(group)].rstrip("(")
        if letter not in option_letters(question) or _DENIED.search(before):
            continue
        following = text[match.end(group) : match.end(group) + 200].split("\n")[0]
        if _names_another(following, letter, question) or _REJECTED.match(following):
            continue
        if _lists(letter, following, question):
            continue
        if _ASSERTS.search(before) or _ASSERTED.match(following):
            asserted.append(SEVERAL if _JOINED.match(following) else letter)
        others.append((letter, match.end(group)))
    if asserted:
        return asserted[-1] or None
    if len({letter for letter, _ in others}) > 1:
        before, after = text[: others[-1][1]][-30:], text[others[-1][1] :]
        if after.strip(" \n.)*\"'$") or re.search(r"(?:\b(?:and|or)|[,/&])[\s(*]*[A-Z]$", before):
            return None
    return others[-1][0] if others else None
