"""Recognises step texts that say nothing: refusals, "I don't know" in its many wordings, placeholders.

A fact is about the world, so a sentence in which the writer says what it cannot do is no fact. But a fact may contain
the same words, and is kept: "Sorry, Wrong Number is a film", "I Don't Know How to Love Him is a song", "Unknown
soldiers are buried in Paris", "No information travels faster than light", "It is unknown whether P equals NP".
"""

from __future__ import annotations

import re

_LONGEST = 400
"""Characters; a longer text is taken to say something."""
_QUOTES = " \"“”'`*_"

# ---- the writer speaks of itself ---------------------------------------------------------------

_OPENING = re.compile(
    r"(?:(?:sorry|unfortunately|regrettably|apologies|my apologies|well|hmm+|oh|actually|honestly|but|that)"
    r"\b\W*)*",
    re.IGNORECASE,
)
_I = re.compile(
    r"I(?:['’](?:m|ve|d|ll)\b| (?:\w+ly )?(?:am|do|did|can|cannot|could|have|had|would|will|wo|was|must|need|lack"
    r"|regret|decline|refuse|apologi[sz]e)(?:n?['’]t)?\b)"
)
_NEGATIVE = re.compile(
    r"n?['’]t\b|\b(?:not|no|cannot|unable|unsure|uncertain|unaware|unfamiliar|lack|insufficient|little|limited|need|regret|decline"
    r"|refuse|sorry|afraid|apologi[sz]e|(?:just |only )?an? (?:\w+ ){0,3}?(?:AI|LLM|assistant|language model"
    r"|chat ?bot))\b"
)
_DECLINES = re.compile(
    r"\b(?:assist|help|comply|fulfil+|engage|participate|continue|discuss|do (?:that|this|so)|decline|refuse"
    r"|will not|won['’]t|guidelines|policy|policies)\b"
)
_SORRY = re.compile(
    r"(?:I am|I['’]m) (?:\w+ )?sorry\b|(?:my )?apologies\b|sorry\W+(?:but|no|not|this|that|there|my"
    r"|the (?:requested|query))\b",
    re.IGNORECASE,
)
_AS_A_MODEL = re.compile(
    r"as an? (?:\w+[- ]){0,3}?(?:AI|artificial intelligence|language model|LLM|assistant|chat ?bot)\b.*\b(?:I|my|me)\b"
    r"|my (?:training|knowledge)\b",
    re.IGNORECASE,
)
_REFUSED_OUTRIGHT = re.compile(
    r"(?:this|the|your) (?:request|prompt|question|query) (?:violates|goes against|is against)\b.*"
    r"|[Ss]orry\W*|I(?:['’]m| am) (?:\w+ )?sorry\W*|(?:很?抱歉|对不起|我(?:无法|不能)|申し訳).*"
    r"|(?:es )?tut mir leid\b.*|je suis désolée?\b.*|lo siento\b.*",
    re.IGNORECASE | re.DOTALL,
)

# ---- nothing is known --------------------------------------------------------------------------

_WHAT = r"(?:information|info|data|knowledge|details?|records?|context|facts?|answers?|results?)"
_GOT = (
    r"(?:available|found|known|provided|given|specified|stated|determined|determinable|verified|applicable|retrieved|disclosed"
    r"|clear|sure|certain)"
)
_UNKNOWN = re.compile(
    r"(?:null|nil|none|n\.?/a\.?|(?-i:N\.?A\.?)|n\.a\.|idk|no (?:idea|clue|comment)|no ?(?:one|body) knows"
    r"|(?:(?:i|we) )?(?:do not|don['’]?t) know(?: (?:this|that|it))?|we (?:do not|don['’]?t) have .*"
    r"|(?:not|un)[ -]?sure(?: (?:about|of) (?:this|that|it))?"
    r"|nothing (?:is|was) known(?: (?:about|of) (?:this|that|it))?|(?:error|failed)(?:: .*)?"
    r"|(?:the )?(?:search|query|lookup|request) (?:returned|found|gave|yielded) (?:no|nothing)\b.*"
    r"|(?:please|(?:could|can|would) you(?: please)?) (?:provide|clarify|specify|give|share)\b.*"
    r"|(?:the|this|your) (?:given |provided )?(?:context|text|passage|document|input|source|question|query)"
    r" (?:does not|doesn['’]t|cannot|can['’]t) (?:be answered.*"
    r"|(?:provide|mention|contain|specify|state|say|include|give)"
    r"(?: (?:this|that|it|any|enough|the (?:answer|required|requested|necessary|needed))\b.*|.*\binformation\b.*)?)"
    r"|(?:it|this|that|(?:the|this) (?:question|topic|query))(?: is|['’]s) (?:outside|beyond) my\b.*"
    r"|(?:it|that)['’]s (?:not |un)(?:known|clear|certain|available)"
    rf"|{_WHAT} (?:about|on|regarding) (?:this|that|it) (?:is|are|was|were) (?:not |un)available"
    # Not available; information unavailable; it is not known; the requested data could not be found
    rf"|(?:(?:it|this|that|(?:\w+ ){{0,2}}{_WHAT})(?: (?:is|was|are|were|can|could|has|have))? )?(?:\w+ly )?"
    rf"(?:not|un)[ -]?(?:(?:\w+ly|yet|be|been) )*{_GOT}(?: to me)?"
    # No information about that; there is no reliable data available on …
    rf"|(?:there (?:is|was|are) |there['’]s )?no (?:\w+ )?{_WHAT}(?: (?:(?:is |was |are |were )?{_GOT}\b.*"
    rf"|(?:about|on|regarding|concerning|for) (?:.*\b{_GOT}|this|that|it|the (?:topic|subject|query|question))))?"
    rf"|(?:there (?:is|was|are) )?(?:insufficient|not enough) (?:\w+ )?{_WHAT}\b.*"
    r"|(?:cannot|can not|can['’]t|could not|couldn['’]t|unable to) (?:be )?(?:determine|sa(?:y|id)|tell|know"
    r"|answer|verif|confirm|f(?:i|ou)nd|provide|retrieve|recall|access|locate).*"
    r"|unbekannt|inconnu|desconocido|неизвестно|ich wei(?:ß|ss) (?:es )?nicht|je ne sais pas|no lo sé"
    r"|我?不(?:知道|清楚|明|详|確定|确定)|未知|没有(?:相关)?信息|わかりません|分かりません|不明です)"
    # A reason may follow after a dot or a dash, or in parentheses. Not after a comma: there a title goes on.
    r"(?:(?:[.:;]|\s[-–—]+)\s.*|\s?\([^()]*\))?\W*",
    re.IGNORECASE | re.DOTALL,
)
_SIGNS = frozenset(" ?？!-–—_*./\\|~…。,;:'\"`<>[](){}#=+")

# ---- placeholders ------------------------------------------------------------------------------

_THING = (
    r"(?:(?:memory|reason|reasoning|search|needed|plain|retrieved|recalled|logical) )*"
    r"(?:query|queries|facts?|conclusions?|steps?|texts?|answers?|questions?|inferences?|statements?|sentences?|strings?)"
)
_WHICH = r"(?:(?:the|an?|your|some|one|this|my|first|second|third|next|last|final|given|correct|gold) )*"
_PLACEHOLDER = re.compile(
    rf"{_WHICH}{_THING}(?: (?:for|of|to|from|answering) {_WHICH}{_THING})?"
    rf"[ _-]?#?(?:\d{{1,3}}|[nNxXkK])?(?: (?:goes )?here)?"
    rf"|(?:the )?query that would fetch it|(?:query|fact|conclusion|text) if\b.*"
    rf"|(?:insert|write|put|add|enter|fill in) {_WHICH}{_THING}(?: here)?|placeholder|todo|tbd|lorem ipsum\b.*"
    rf"|x{{3,}}|etc",
    re.IGNORECASE,
)
_SLOT = re.compile(r"<[^<>]{1,80}>|\{+[^{}]{1,80}\}+")


def what_it_lacks(text: str) -> str | None:
    """Why a one-line text is no fact: `refused`, `unknown_fact` or `placeholder`; None if it may be a fact."""
    text = _unquoted(text)
    if bracketed := re.fullmatch(r"[(\[]([^()\[\]]+)[)\]]", text):
        text = bracketed[1]
    if _is_placeholder(text):
        return "placeholder"
    if _REFUSED_OUTRIGHT.fullmatch(text):
        return "refused"
    if _says_what_it_cannot(text):
        return "refused" if _DECLINES.search(text, 0, 150) else "unknown_fact"
    nothing = len(text) <= _LONGEST and (_UNKNOWN.fullmatch(text) or (text and set(text) <= _SIGNS))
    return "unknown_fact" if nothing else None


def _is_placeholder(text: str) -> bool:
    """Whether a text only names what should be there, like the example in the prompt: "the query", "…"."""
    if len(text) > _LONGEST:
        return False
    if text and set(text) <= set(".… "):
        return True
    bare = text.strip(_QUOTES + "<>[](){}.…:")
    return bool(_PLACEHOLDER.fullmatch(bare) or _SLOT.fullmatch(_unquoted(text)))


def _says_what_it_cannot(text: str) -> bool:
    words = text.split(maxsplit=2)
    # A title has capitals ("I'm Sorry is a song"); the second word of a sentence has one only if it is "I".
    if len(words) > 1 and words[1][:1].isupper() and not re.match(r"I\b", words[1]):
        return False
    if _SORRY.match(text) or _AS_A_MODEL.match(text):
        return True
    start = _OPENING.match(text).end()  # type: ignore[union-attr]
    spoken = _I.match(text, start)
    return bool(spoken and _NEGATIVE.search(text, start, spoken.end() + 40))


def _unquoted(text: str) -> str:
    """``text`` without quotation marks around it; marks around only a part of it, such as a title, stay."""
    bare = text.strip(_QUOTES)
    return text.strip() if any(mark in bare for mark in '"“”') else bare
