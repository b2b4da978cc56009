"""Finding the places where a text marks its answer: tags, ####, "the answer is" in some languages. Needs no torch.

Nothing here knows what an answer is. The readers of each kind of answer judge the text at a mark.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from memreason.answers.thoughts import without_thoughts
from memreason.records import one_line

LONGEST = 1000
"""Most characters that are read after a mark."""
_MOST = 20
"""Most marks of one kind that are read, the last ones: a text of nothing but marks then takes linear time."""

_TOKEN = re.compile(r"<[^<>\s]+_\d+>")
_NEXT = re.compile(
    r"\n[#* \t]*(?:Question|Q|Problem|Exercise|User|Human|Instruction)\s?\d*\s?[*_]*:"
    r"|<\|(?:im_end|im_start|endoftext|eot_id|end_of_text|end)\|>|</s>"
)
_TAG = re.compile(
    r"<(?:final_)?answer>\s*([^<]*(?:<(?!/?(?:final_)?answer>)[^<]*)*)(?:</(?:final_)?answer>|$)", re.IGNORECASE
)
_HASHES = re.compile(r"####[ \t]*\n?([^\n]*)")
_NAME = r"(?:\banswer|\brespuesta|\bréponse|\bantwort|\brisposta|\bresposta|\bответ)\b(?: correct[aeo]?\b)?"
PHRASE = re.compile(
    rf"{_NAME}(?: to (?:the|this) (?:question|problem))?,?(?: (?:therefore|then|thus|hence),?)?[\"'*_`)\]]*[ \t]*"
    r"(?:\b(?:is(?! not\b)|(?:must|should|would|will) be|es|est|ist|è|é)\b[*_]*:?|(?P<colon>[:：=]))"
    r"|(?:正确答案|答案|正解|答え|回答|정답)\s*(?:应该?)?\s*(?:是|为|為|は|은|는|[:：])[:：]?"
    r"|(?m:^[*#_> \t]*(?:the |my )?(?:final |correct )?answer[*_ \t]*$)",
    re.IGNORECASE,
)
_TO_ANSWER = re.compile(r"(?:[*_]+(?=\s|$)|[\s:])*")
_FINAL = re.compile(r"final\s*$", re.IGNORECASE)
_WRAPPED = re.compile(
    r"(?P<marks>\*{1,3}|_{1,2}|`{1,3}|\"|'|\$\$?)(?P<a>(?:(?!(?P=marks)).)+)(?P=marks)|[“‘«](?P<b>.+)[”’»]|\\\((?P<c>.+)\\\)|\\\[(?P<d>.+)\\\]"
    r"|\\(?:boxed|fbox|text|textbf|textrm|mathrm|mathbf|mbox)\s*\{(?P<e>[^{}]*|[^{}]*\{[^{}]*\}[^{}]*)\}"
    r"|<(?P<tag>(?:final_)?answer)>(?P<f>.+)</(?P=tag)>"
)


class Announced(NamedTuple):
    """A place where words announce an answer.

    ``rest`` is the text of the line after these words, or the next line if nothing follows on theirs, up to `LONGEST`
    characters. ``sure``: the words are "the answer is" or "final answer:", and not only "Answer:", which can also
    begin a solution. ``last``: nothing comes after that line.
    """

    rest: str
    sure: bool
    last: bool


def own_part(text: str) -> str:
    """The part of a text that answers its question: without planning tokens, thoughts, and a next question after it."""
    text = without_thoughts(_TOKEN.sub("", text))
    for following in _NEXT.finditer(text):
        if text[: following.start()].strip():
            return text[: following.start()]
    return text


def tagged(text: str) -> str | None:
    """The text between the last `<answer>` and `</answer>` (or the end of ``text``); None where there is none."""
    contents = _TAG.findall(text) if "nswer>" in text.lower() else []
    return contents[-1].strip() or None if contents else None


def after_hashes(text: str) -> list[str]:
    """The text after each #### in a line, as in the last line of GSM8K's solutions; the last one first."""
    return [line.strip()[:LONGEST] for line in _HASHES.findall(text)[-_MOST:]][::-1]


def announced(text: str, phrase: re.Pattern[str] = PHRASE) -> Iterator[Announced]:
    """Yield the places where ``phrase`` ("answer is", "Answer:" …) announces an answer; the last one first."""
    for match in reversed(list(phrase.finditer(text))[-_MOST:]):
        start = _TO_ANSWER.match(text, match.end()).end()  # type: ignore[union-attr]
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        rest = text[start : min(end, start + LONGEST)]
        sure = not match["colon"] or bool(_FINAL.search(text[max(0, match.start() - 10) : match.start()]))
        if rest.strip():
            yield Announced(rest.strip(), sure, not text[end:].strip())


def undecorated(line: str) -> str:
    """A line without decoration around it: bold, dollar signs, quotes, a box, `\\text`, an answer tag, a final dot."""
    line = one_line(line)
    for _ in range(6):
        if line.count("**") % 2:
            line = line.removesuffix("**")
        inner = _WRAPPED.fullmatch(line)
        shorter = next((inner[name] for name in "abcdef" if inner[name] is not None), line) if inner else line
        shorter = shorter.strip().removesuffix(".").rstrip()
        if shorter == line:
            break
        line = shorter
    return line


def plain(text: str) -> str:
    """``text`` for comparison: one line, without case, a final dot, and commas inside numbers."""
    return re.sub(r"(?<=\d),(?=\d{3})", "", one_line(text).removesuffix(".").rstrip().casefold())
