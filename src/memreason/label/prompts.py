"""The agents' prompts: text files, one for each role (and order); the user can replace each of them.

A file has the system message, a line of five dashes, and the user message, with `$name` where something is filled in.
`repair.md` has only a user message. Files with the same names in the folder that `--prompts` names are used instead.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from string import Template

from memreason.errors import UserError
from memreason.llm.base import Message
from memreason.records import Question, lettered

ORDERS = ("interleaved", "memory_first", "single")
"""Orders of steps: as in the plan; all facts first; as one call writes them, with no knowledge agent."""
FOLDER = Path(__file__).parent / "prompts"
_BORDER = "\n-----\n"
_NEEDED = {
    "planner": {"question", "answer"},
    "knowledge": {"queries"},
    "repair": {"problem"},
    "reader": {"question", "steps"},
}
_ALLOWED = {
    "planner": {"question", "options", "answer"},
    "knowledge": {"queries", "question", "options"},
    "repair": {"problem"},
    "reader": {"question", "options", "steps"},
}


@dataclass(frozen=True)
class Prompts:
    """The prompts of one order, by role."""

    texts: dict[str, str]

    @property
    def fingerprint(self) -> str:
        """A digest of the prompts that decide what the labelling agents write; not of the reader's."""
        texts = sorted((role, text) for role, text in self.texts.items() if role != "reader")
        return hashlib.sha256(repr(texts).encode()).hexdigest()[:16]

    def messages(self, role: str, **values: str) -> tuple[Message, ...]:
        """The system and user message of a role, filled in."""
        system, user = (Template(part).substitute(values) for part in self.texts[role].split(_BORDER))
        return ({"role": "system", "content": system.strip()}, {"role": "user", "content": user.strip()})

    def repair(self, problem: str) -> Message:
        """The user message that names the ``problem`` of a reply and asks for a better one."""
        return {"role": "user", "content": Template(self.texts["repair"]).substitute(problem=problem).strip()}


def load_prompts(order: str, folder: str | None = None) -> Prompts:
    """Read and check the prompts of an order. Raises UserError with the file and what is wrong with it."""
    own = Path(folder).expanduser() if folder else None
    if own and not own.is_dir():
        raise UserError(f"--prompts {folder}: no such folder; copy {FOLDER} and change the copy")
    names = {
        "planner": f"planner.{order}.md",
        "knowledge": "knowledge.md",
        "repair": "repair.md",
        "reader": "reader.md",
    }
    if own and not any((own / name).exists() for name in names.values()):
        raise UserError(f"--prompts {folder}: none of {', '.join(names.values())} is in it; one of them must be")
    texts = {}
    for role, name in names.items():
        path = own / name if own and (own / name).exists() else FOLDER / name
        try:
            texts[role] = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise UserError(f"{path}: not UTF-8 text ({error})") from error
        _check(path, role, texts[role])
    return Prompts(texts)


def _check(path: Path, role: str, text: str) -> None:
    template = Template(text)
    if not template.is_valid():
        raise UserError(f"{path}: a dollar sign without a name after it; write $$ for a plain dollar sign")
    names = set(template.get_identifiers())
    if missing := sorted(_NEEDED[role] - names):
        raise UserError(f"{path}: lacks ${', $'.join(missing)}, so the {role} would not be told")
    if unknown := sorted(names - _ALLOWED[role]):
        allowed = ", $".join(sorted(_ALLOWED[role]))
        raise UserError(f"{path}: ${unknown[0]} is not a name that can be filled in; use ${allowed}")
    if role != "repair" and text.count(_BORDER) != 1:
        raise UserError(f"{path}: needs one line of five dashes between the system and the user message")


def question_values(question: Question) -> dict[str, str]:
    """The values of `$question` and `$options`; the options, if there are any, each on its own line."""
    listed = "".join(f"\n{option}" for option in lettered(question.options))
    return {"question": question.text, "options": f"\nOptions:{listed}" if listed else ""}


def answer_value(question: Question) -> str:
    """The gold answer for the planner's prompt: a letter comes with the text of its option."""
    index = ord(question.answer[:1] or "A") - 65
    if question.options and len(question.answer) == 1 and 0 <= index < len(question.options):
        return f"{question.answer}. {question.options[index]}"
    return question.answer
