"""One answer as a stream of text."""

from __future__ import annotations

from collections.abc import Iterator
from queue import SimpleQueue
from threading import Thread

from transformers import PreTrainedTokenizerBase

from memreason.errors import UserError
from memreason.generation.engine import Engine
from memreason.generation.request import Request
from memreason.generation.samples import Token
from memreason.generation.stops import Stops, held_back

_INCOMPLETE = "\ufffd"
"""What stands for a character of which a token has only some bytes."""


class TextPieces:
    """The text of ids that come one after another, in pieces. A character that is not complete yet is held back."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase):
        self._tokenizer = tokenizer
        self._ids: list[int] = []
        self._told = ""

    def add(self, id: int) -> str:
        """The text that ``id`` adds."""
        self._ids.append(id)
        return self._new(complete=False)

    def rest(self) -> str:
        """The text that was held back."""
        return self._new(complete=True)

    def _new(self, complete: bool) -> str:
        text = self._tokenizer.decode(self._ids, skip_special_tokens=False)
        if text.endswith(_INCOMPLETE) and not complete:
            return ""
        new = text[len(self._told) :]
        if text.endswith("\n"):  # what follows is independent of the lines before
            self._ids, self._told = [], ""
        else:
            self._told = text
        return new


def stream(engine: Engine, request: Request) -> Iterator[str]:
    """The text of one answer, piece by piece, as it is generated; that of steps that were given is not repeated.

    A thread generates it, and ends when the caller closes the iterator. Raises UserError where the engine cannot take
    the request, or the model cannot be decoded.
    """
    if request.decoding.n != 1:
        raise UserError(f"n {request.decoding.n}: one answer can be streamed at a time; give n=1")
    tokens: SimpleQueue[Token | None] = SimpleQueue()
    handle = engine.submit(request, lambda _, token: tokens.put(token))
    failures: list[BaseException] = []

    def run() -> None:
        try:
            engine.run()
        except BaseException as error:
            failures.append(error)
        finally:
            tokens.put(None)

    thread = Thread(target=run, daemon=True)
    thread.start()
    pieces = TextPieces(engine.unit.tokenizer)
    stops = Stops(engine.unit.tokenizer, request.decoding.stop, bool(engine.options.shots))
    try:
        yield "".join(engine.unit.layout.prefix)
        text, told = "", 0
        while token := tokens.get():
            text += pieces.add(token.id)
            clear = min(len(stops.cut(text, 0)), len(text) - held_back(text, request.decoding.stop))
            if told < clear:
                yield text[told:clear]
                told = clear
        if rest := stops.cut(text + pieces.rest(), 0)[told:]:
            yield rest
    finally:  # also if the caller closes the iterator
        handle.cancel()
        thread.join()
    if failures:
        raise failures[0]
