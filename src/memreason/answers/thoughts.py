"""Removing the thoughts that a reasoning model writes before its answer. Needs no torch."""

from __future__ import annotations

import re

_NAME = r"(?:seed:)?(?:think(?:ing)?|thoughts?|reasoning|reflection|scratchpad)"
_MARK = re.compile(
    rf"(?P<opening><{_NAME}\s*>|\[THINK(?:ING)?\]|◁think▷|<\|(?:begin_of_thought|start_thinking)\|>|<\|channel>thought\b)"
    rf"|</{_NAME}\s*>|\[/THINK(?:ING)?\]|◁/think▷|<\|(?:end_of_thought|end_thinking)\|>|<channel\|>",
    re.IGNORECASE,
)
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)[^<]*(?:<\|constrain\|>[^<]*)?(?:<\|message\|>)?")
_CHANNEL_ENDS = re.compile(r"<\|(?:end|return|call|start|channel)\|>")
_BARE_CHANNELS = re.compile(r"\s*(?:assistant)?analysis(?=[^\W_])")
"""The start of a text with such channels whose special tokens were left out: `analysisWe need …assistantfinal18`."""
_HEADING = re.compile(
    r"[\s*#_>]*(?:(?:here(?:['’]s| is) (?:a|my|the) )?(?:thinking|thought) process\b[*_ ]*(?::|\n)"
    r"|thinking(?:\.\.\.|…)\s)",
    re.IGNORECASE,
)
_HEADING_ENDS = re.compile(
    r"^[*#_> \t]*(?:\.\.\.|…)?\s?(?P<done>done thinking\b[.\s]*|here(?:['’]s| is) my (?:response|answer)\b:?)"
    r"|^[*#_> \t]*(?:(?:final |the |my )*(?:answer|response|output|solution|result)(?: is\b)?[*_ \t]*(?::|$)"
    r"|<answer>|####)",
    re.IGNORECASE | re.MULTILINE,
)
_JSON = re.compile(r'^(?:```(?:json)?\s*)?\{\s*"', re.MULTILINE)


def without_thoughts(text: str) -> str:
    """The text without the thoughts in it. Where thoughts begin and never end, nothing after their beginning is kept.

    - Thoughts are between `<think>` and `</think>` (or thinking, thought, reasoning …, also in square brackets and in
      the spellings of other models), or before a closing tag whose opening tag was in the prompt.
    - Of the channels of gpt-oss, only the final one is kept, even where the special tokens are missing.
    - In a text that begins with "Thinking Process:" or "Here is my thought process:", everything is thought up to the
      last line that announces an answer, or up to the first line of JSON, if that comes earlier.

    A text without any of these is returned unchanged.
    """
    if "<|channel|>" in text:
        text = _final_channel(text)
    elif "assistantfinal" in text:
        text = text.rpartition("assistantfinal")[2]
    elif _BARE_CHANNELS.match(text):
        return ""
    text = _outside_marks(text)
    heading = _HEADING.match(text)
    return _after_heading(text[heading.end() :]) if heading else text


def _final_channel(text: str) -> str:
    parts = []
    for channel in _CHANNEL.finditer(text):
        if channel[1] == "final":
            end = _CHANNEL_ENDS.search(text, channel.end())
            parts.append(text[channel.end() : end.start() if end else None])
    return "\n".join(parts)


def _outside_marks(text: str) -> str:
    kept: list[str] = []
    at, thinking = 0, False
    for mark in _MARK.finditer(text):
        if mark["opening"]:
            kept += [] if thinking else [text[at : mark.start()]]
        elif not thinking:  # the opening tag was in the prompt
            kept.clear()
        at, thinking = mark.end(), bool(mark["opening"])
    return "".join(kept) if thinking else "".join([*kept, text[at:]])


def _after_heading(text: str) -> str:
    starts = [first_json.start()] if (first_json := _JSON.search(text)) else []
    if ends := list(_HEADING_ENDS.finditer(text)):
        starts.append(ends[-1].end("done") if ends[-1]["done"] else ends[-1].start())
    return text[min(starts) :] if starts else ""
