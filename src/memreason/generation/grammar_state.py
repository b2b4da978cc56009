"""Where one answer stands in the grammar, and which tokens may come next (see `grammar`)."""

from __future__ import annotations

import math
from typing import Any

import torch

from memreason.generation import stray_marks
from memreason.generation.grammar_tables import NOTHING, Answers, Opening, Tables
from memreason.generation.vocabulary import NEVER, PLAIN, SINGLE, SPACE
from memreason.planning_tokens.names import ANSWER, TOKEN
from memreason.planning_tokens.prompt import ANSWER_PHRASE

MARKS, WORD, TEXT, PHRASE, VALUE, OVER, ENDED = range(7)
"""What comes next: planning tokens; a word in place of them; the text of a step; the rest of a spelled answer line; the
rest of a free answer; only the end token; nothing."""
_MARGIN, _MARGIN_IN_TEXT = 40, 5
"""More tokens than a single one can add to the fewest that complete an answer, anywhere and in the middle of a text."""
_MOST_CELLS = 1 << 25
"""The most entries of all masks that are kept (32 MB)."""


class GrammarState:
    """Where one answer stands; `Grammar.start` makes it.

    ``room`` is the number of tokens that may still come, the end token included; above ``plenty``, it plays no part.
    If ``strict`` is False, all tokens are allowed but at the start of a step of the type ``forced``, and once this step
    has begun, the state is ``free``.
    """

    def __init__(self, tables: Tables, answers: Answers, text: str):
        self.tables, self.answers = tables, answers
        self.room, self.plenty = math.inf, 0.0
        self.strict, self.free = True, False
        self.forced: str | None = None  # the type of the next step
        self.text, self.since, self.steps = text, len(text), 0  # since: where the last planning token ends
        self.progress: str | None = None  # the line so far, where it can still become the answer line
        self.pending, self.ready = b"", False  # the bytes of a character that has begun; the line has a text
        self.line: frozenset[str] = frozenset()
        self._tried: tuple[int, GrammarState] | None = None
        self._reach(tables.first)
        self._settle()

    # ---- for those who decode ---------------------------------------------------------------------

    def allows(self, token: int) -> bool:
        """Whether ``token`` may come next."""
        if self.free or (self._easy and self.room > self.plenty and self.tables.kinds[token] in (PLAIN, SPACE)):
            return True
        return self._judge(token)

    def mask(self) -> torch.Tensor:
        """(rows,) bool on the CPU: which tokens may come next; at least one. It is shared, so do not change it."""
        masks, key = self.tables.masks, self._key()
        if (mask := masks.get(key)) is None:
            if len(masks) * self.tables.rows > _MOST_CELLS:
                masks.clear()
            mask = masks[key] = self._mask()
        return mask

    def advance(self, token: int) -> None:
        """Note that ``token`` was taken. If the grammar does not allow it, it is read as text (`Grammar.start`)."""
        self.room -= 1
        if self.free:
            return
        if self._easy and (kind := self.tables.kinds[token]) in (PLAIN, SPACE):
            self.text += self.tables.vocabulary.texts[token]
            self.ready = self.ready or kind == PLAIN
            self._tried = None
            if stray_marks.watched(self.text):
                self._settle()
            return
        after = self._tried[1] if self._tried and self._tried[0] == token else self._after(token)
        if after is None:
            self._read(token)
        else:
            self.__dict__.update(after.__dict__, room=self.room)
        self._tried = None
        self._settle()

    def least(self) -> float:
        """The fewest tokens that complete the answer, the end token included; infinite where none do."""
        written, types = self.text[self.body :], self._types()
        if self.phase in (OVER, ENDED):
            return int(self.phase == OVER)
        if self.phase == PHRASE:
            return self.answers.left(written)
        if self.phase == VALUE:
            return self.tables.vocabulary.left(self.pending) + (not self.ready) + 1
        if self.phase == WORD:
            return min(self.tables.words[type_].left(written) + self._least_after(type_) for type_ in types)
        marked = [n + self._least_after(type_) for type_, n in self.opening.left.items() if n and type_ in types]
        if self.phase == MARKS:
            return min(marked, default=math.inf)
        ways = [self._least_line() + self._least_next()]
        if not self.pending:
            ways += [] if written else marked
            ways += [self.answers.left(self.progress)] if self.progress is not None and ANSWER in self.line else []
        return min(ways)

    def force(self, next_type: str) -> bool:
        """Only let the next step be of this type; False where no step can follow, or one of another type has begun."""
        if self.phase in (PHRASE, VALUE, OVER, ENDED):
            return False
        self.forced = next_type
        if self.phase == TEXT and not self.tables.typed and not self.text[self.body :] and not self.pending:
            self._reach(self.opening)
        self._settle()
        return self.least() < math.inf

    def begin(self) -> None:
        """Note what ``strict``, ``room`` and ``forced`` mean for what follows."""
        self.plenty = self._least_next() + self.tables.shortest_step + self.answers.left() + _MARGIN
        self._settle()

    def _least_after(self, type_: str) -> float:
        """The fewest tokens that complete the answer where the planning tokens of such a line have just ended."""
        return self.answers.left() if type_ == ANSWER else self.tables.shortest_step + self._least_next(type_)

    def _least_next(self, begun: str | None = None) -> float:
        """The fewest tokens that complete it at the start of another line, after a step of the type ``begun``."""
        start = self.tables.start(ANSWER) + self.answers.left()
        if self.forced in (None, begun):
            return start
        return self.tables.start(self.forced) + self.tables.shortest_step + start

    def _least_line(self) -> float:
        """The fewest tokens that complete the line of a step: a newline; before it a text, where there is none."""
        left, short = self.tables.vocabulary.left(self.pending), self.tables.short_line
        if self.ready and not (self.careful and self._spoils("\n")):
            return left + 1
        return 1 if short and not left and not (self.careful and self._spoils(short)) else left + 2

    # ---- taking a token -----------------------------------------------------------------------------

    def _judge(self, token: int) -> bool:
        if not self.strict and self.phase not in (MARKS, WORD):
            return True
        after = self._after(token)
        if after is None:
            return False
        self._tried = (token, after)
        return not self.strict or self.room > self.plenty or after.least() < self.room

    def _after(self, token: int) -> GrammarState | None:
        """The state after ``token``, room aside; None where the grammar does not allow it."""
        after = GrammarState.__new__(GrammarState)
        after.__dict__.update(self.__dict__, _tried=None)
        if not after._take(token):
            return None
        after._settle()
        return after

    def _settle(self) -> None:
        """Note what follows from where the answer stands now."""
        heading = self.tables.bare and stray_marks.can_become_heading(self.text)
        self.careful = heading or stray_marks.watched(self.text)
        self._easy = self.phase in (TEXT, VALUE) and not self.pending and not self.careful and self.progress is None
        self.free = self.free or not (self.strict or self.forced)

    def _take(self, token: int) -> bool:
        """Move on by a token; False, with the state in disorder, where the grammar does not allow it."""
        tables, vocabulary = self.tables, self.tables.vocabulary
        kind = tables.kinds[token]
        if token == tables.end_id:
            ended = self._can_end()
            self.phase = ENDED
            return ended
        if kind == NEVER:
            return self._take_mark(token)
        if self.phase == WORD:
            return self._spell_word(vocabulary.texts[token])
        if self.phase == PHRASE:
            return self._spell_answer(vocabulary.texts[token])
        if self.phase not in (TEXT, VALUE) or (added := vocabulary.after(self.pending, token)) is None:
            return False
        piece, self.pending = added
        if (kind == SINGLE or self.careful) and self._spoils(piece):
            return False
        return self._write(piece)

    def _can_end(self) -> bool:
        if self.phase == PHRASE:
            return self.answers.spelling.complete(self.text[self.body :])
        return self.phase == OVER or (self.phase == VALUE and self.ready and not self.pending)

    def _take_mark(self, token: int) -> bool:
        after = self.opening.after.get(token)
        at_start = self.phase == MARKS or (self.phase == TEXT and not self.text[self.body :] and not self.pending)
        if after is None or not at_start or not after.left.keys() & self._types():
            return False
        self.text += self.tables.names[token]
        self.since = len(self.text)
        self._reach(after)
        return True

    def _spell_word(self, piece: str) -> bool:
        written = self.text[self.body :] + piece
        words = {type_: self.tables.words[type_] for type_ in self._types()}
        self.text += piece
        if complete := [type_ for type_, word in words.items() if word.complete(written)]:
            self._open(frozenset(complete))
        return bool(piece) and any(word.begun(written) and word.left(written) < math.inf for word in words.values())

    def _spell_answer(self, piece: str) -> bool:
        written = self.text[self.body :] + piece
        value = written.lstrip(" ").removeprefix(ANSWER_PHRASE)
        if self.answers.free and value != written.lstrip(" "):
            possible = "\n" not in value and not self._spoils(piece)
            self.phase, self.ready = VALUE, bool(value.strip())
        else:
            possible = self.answers.spelling.begun(written) and self.answers.spelling.left(written) < math.inf
        self.text += piece
        return bool(piece) and possible

    def _write(self, piece: str) -> bool:
        """Add to the text of a step, or of an answer that is any text."""
        line = self.text[self.body :] + piece
        start = line.lstrip()
        if self.progress is not None and start.startswith(ANSWER_PHRASE):
            self.phase, self.progress = PHRASE, None
            self.body += len(line) - len(start)
            return ANSWER in self.line and self._spell_answer(piece)
        if self.progress is not None:
            self.progress = start if ANSWER_PHRASE.startswith(start) else None
        self.text += piece
        self.ready = self.ready or not (not piece or piece.isspace())
        if piece.endswith("\n"):
            possible = self.ready and self.phase == TEXT
            self._end_line()
            return possible
        return True

    def _end_line(self) -> None:
        self.steps += self.ready
        self._reach(self.tables.next)

    def _reach(self, opening: Opening) -> None:
        """Stand at a place among the planning tokens of a line."""
        self.opening, self.body, self.phase, self.ready = opening, len(self.text), MARKS, False
        if types := opening.types & self._types():
            if self.tables.words:
                self.phase = WORD
            else:
                self._open(types)

    def _open(self, types: frozenset[str]) -> None:
        """Stand after the planning tokens of a line that can be of these types."""
        self.line, self.body, self.ready = types, len(self.text), False
        self.phase = PHRASE if types == {ANSWER} else TEXT
        self.progress = "" if self.phase == TEXT and not self.tables.typed else None
        if self.forced in types:
            self.forced, self.opening = None, NOTHING

    def _types(self) -> frozenset[str]:
        """The types that the line, or the next one, can have."""
        if self.forced:
            return frozenset([self.forced])
        return self.tables.types | {ANSWER} if self.steps else self.tables.types

    def _read(self, token: int) -> None:
        """Read a token that the grammar does not allow, as the text of the line that it stands in."""
        self.pending = b""
        if self.phase in (OVER, ENDED) or token == self.tables.end_id:
            self.phase = ENDED if token == self.tables.end_id else self.phase
            return
        piece = self.tables.vocabulary.texts[token] or self.tables.decode(token)
        if self.phase in (MARKS, WORD):
            self.phase, self.line, self.progress = TEXT, self.tables.types, None
        for number, part in enumerate(piece.split("\n")):
            if number and self.phase in (PHRASE, VALUE):
                self.phase = OVER
                return
            if number:
                self.text += "\n"
                self._end_line()
            if part:
                self._read_part(part)

    def _read_part(self, part: str) -> None:
        self.text += part
        line = self.text[self.body :].strip()
        self.ready = bool(line)
        answers = self.phase == PHRASE or (self.progress is not None and line.startswith(ANSWER_PHRASE))
        if answers and ANSWER in self.line:
            self.phase, self.ready = VALUE, True
        elif self.phase != VALUE:
            self.phase = TEXT
        self.progress = None

    def _spoils(self, piece: str) -> bool:
        """Whether ``piece`` completes something that parsing does not read as the text of its line."""
        tables, line = self.tables, self.text[self.body :] + piece
        if self.phase == TEXT and TOKEN.match(line.lstrip()):
            return True
        if tables.words and line.startswith(tuple(f"[{type_}]" for type_ in tables.words)):
            return True
        return stray_marks.has_mark(self._what_counts() + piece, tables.names.values())

    def _what_counts(self) -> str:
        """The end of the text that decides which pieces complete a mark."""
        if self.careful and self.tables.bare:
            return self.text
        return stray_marks.what_counts(self.text, self.since)

    def _key(self) -> tuple[Any, ...]:
        """What decides the mask: equal for two states with the same one."""
        if self.free or (not self.strict and self.phase not in (MARKS, WORD)):
            return ()
        written = self.text[self.body :]
        in_text = self.phase in (TEXT, VALUE) and bool(written) and self.progress is None and not self.careful
        ample = self.room > (self.least() + _MARGIN_IN_TEXT if in_text else self.plenty)
        room = self.room if self.strict and not ample else None
        common = (self.phase, self.answers, self.forced, room, self.strict, self.steps > 0)
        if self.phase == MARKS:
            return (*common, self.opening)
        if self.phase in (WORD, PHRASE):  # of numbers, digits are alike; of the names of types, they are not
            return (*common, written if self.phase == WORD else self.answers.spelling.alike(written))
        opened = stray_marks.open_mark(self.text, self.since)
        before = written[: len(written) - len(opened)]
        careful = self._what_counts() if self.careful else None
        line = (self.line, self.opening if not written else None, self.ready, self.pending, self.progress)
        return (*common, *line, opened, not before, not before.strip(), stray_marks.channel_begun(self.text), careful)

    def _mask(self) -> torch.Tensor:
        tables = self.tables
        if self.free or (not self.strict and self.phase not in (MARKS, WORD)):
            return torch.ones(tables.rows, dtype=torch.bool)
        mask = torch.zeros(tables.rows, dtype=torch.bool)
        ids = [tables.end_id, *self.opening.after]
        if self.phase in (TEXT, VALUE):
            ids += tables.single
            for kind, members in tables.members.items():
                if self.careful:
                    ids += members.tolist()
                else:
                    mask[members] = self._judge(tables.examples[kind])
            if self.progress is not None:
                ids += tables.colons + self.answers.spelling.candidates(self.progress)
        elif self.phase == PHRASE:
            ids += self.answers.spelling.candidates(self.text[self.body :])
            ids += tables.colons if self.answers.free else []
        elif self.phase == WORD:
            ids += [id for word in tables.words.values() for id in word.candidates(self.text[self.body :])]
        mask[torch.tensor(ids)] = torch.tensor([self._judge(id) for id in ids])
        if not mask.any():
            mask[tables.end_id] = True
        return mask
