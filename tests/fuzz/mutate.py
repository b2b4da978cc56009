"""Structure-aware damage to files: values within a document, its text, its bytes; the same for the same seed."""

import copy
import json
import random
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

VALUES: list[Any] = [
    None, True, False, 0, -1, 2, 2.0, -0.0, 0.5, 1e308, 10**30, float("nan"), float("inf"), "", " ", "\n", "\0",
    "\x1b[31mred", "\ud83d", "x\udfffy", "ü\u202eé", "[/]", "[/red]", "../x", "null", "nan", "None", "True", "no", "1",
    "A", "#### 5", "\\boxed{", "[memory]", "[memory]:", "[rag]: ", "<memory_0>", "𝟚", "train", "float32", "CAUSAL_LM",
    "x" * 5000, [], {}, [[]], [None], {"": ""}, {"a": 1}, ["a", "b"], {"type": "memory", "text": "x"},
]  # fmt: skip
"""What a field may hold that nobody expects there."""
PIECES = ['{"', "{", "[", "\\text{", "\\boxed{", "\\boxed ", "answer is ", "The answer is: ", "\\[ ", "\\begin{a} ",
          "$ ", ". ", " ", "\n", "A. ", "(A) ", "Options: ", "1,", "9", "<think>", "<memory_0> ", "-", "so ",
          '"']  # fmt: skip
"""What, repeated, has taken quadratic time somewhere."""
LONG = 30_000
"""Characters of a repetition; quadratic time is then seconds, or minutes."""


class Mutator:
    """Draws damage."""

    def __init__(self, seed: str):
        self.random = random.Random(seed)

    def value(self, document: Any) -> Any:
        """A copy of a document of lists, dictionaries and scalars with one to three places damaged."""
        root = [copy.deepcopy(document)]
        for _ in range(self.random.choice((1, 1, 1, 2, 3))):
            holder, key = self.random.choice(list(_places(root)))
            self._damage(holder, key, root)
        return root[0]

    def _damage(self, holder: Any, key: Any, root: list[Any]) -> None:
        draw = self.random
        kind = draw.randrange(9)
        if kind == 0 and holder is not root:
            del holder[key]
        elif kind == 1 and isinstance(holder, list) and holder is not root:
            holder[key:key] = [copy.deepcopy(holder[key])] * draw.choice((1, 2, 60))
        elif kind == 2 and isinstance(holder, dict):
            name = draw.choice([str(key) + draw.choice("_ x\0"), str(draw.choice(VALUES))[:5000], str(key).upper()])
            holder[name] = holder.pop(key)
        elif kind == 3 and holder is not root:
            other, place = draw.choice(list(_places(root)))
            holder[key] = copy.deepcopy(other[place])
        elif kind == 4:
            holder[key] = draw.choice([[holder[key]], {"a": holder[key]}, str(holder[key])[:5000]])
        elif kind == 5 and isinstance(holder[key], str):
            holder[key] = self._text(holder[key])
        elif kind == 6 and isinstance(holder[key], int | float):
            holder[key] = draw.choice([-holder[key], holder[key] + 0.5, holder[key] * 1000, str(holder[key]), 2**63])
        elif kind == 7 and draw.random() < 0.2:
            holder[key] = f"@nested {draw.choice((20, 120, 3000))} {draw.choice('[{')}@"
        else:
            holder[key] = copy.deepcopy(draw.choice(VALUES))

    def _text(self, text: str) -> str:
        draw, place = self.random, self.random.randint(0, len(text))
        return draw.choice(
            [
                lambda: text[:place],
                lambda: text[place:],
                lambda: text[:place] + str(draw.choice(VALUES))[:5000] + text[place:],
                lambda: text[:place] + draw.choice(PIECES) * 3 + text[place:],
                lambda: (text + " ") * 30,
                lambda: text.swapcase(),
                lambda: _repeated(draw.choice(PIECES)) if draw.random() < 0.3 else text[::-1],
            ]
        )()

    def bytes(self, content: bytes) -> bytes:
        """The content cut, with bytes turned, put in, taken out, doubled, or in another encoding."""
        draw = self.random
        a, b = sorted(draw.randint(0, len(content)) for _ in range(2))
        b = min(b, a + draw.choice((1, 4, 40, 400)))
        return draw.choice(
            [
                lambda: content[:a],
                lambda: content[a:],
                lambda: content[:a] + content[b:],
                lambda: content[:b] + content[a:],
                lambda: content[:a] + draw.randbytes(b - a) + content[b:],
                lambda: content[:a] + bytes(b - a) + content[b:],
                lambda: content[:a] + draw.choice(_SPLICES)() + content[a:],
                lambda: content[:a] + draw.choice(_SPLICES)() + content[b:],
                lambda: content.replace(b"\n", draw.choice((b"\r", b"\r\n", b"\n\n", b""))),
                lambda: draw.choice((b"\xef\xbb\xbf", b"\xff\xfe", b"\0", b"\n")) + content,
                lambda: content.decode("latin-1").encode("utf-16"),
                lambda: b"",
            ]
        )()


def _nested(match: re.Match[str]) -> str:
    """What is nested too deep for Python to copy is put in where the text is written."""
    depth = int(match[1])
    return "[" * depth + "]" * depth if match[2] == "[" else '{"a": ' * depth + "1" + "}" * depth


def _repeated(piece: str) -> str:
    return piece * (LONG // len(piece))


_NESTED = re.compile(r"""["']@nested (\d+) (.)@["']""")
_SPLICES: list[Callable[[], bytes]] = [
    lambda: b"9" * 5000, lambda: b"[" * 5000, lambda: b'{"a":' * 5000, lambda: b"\xff", lambda: b"\\ud83d",
    lambda: b"NaN", lambda: b"-Infinity", lambda: b'"', lambda: b",", lambda: b"null", lambda: b"\n---\n",
    lambda: b"&a [*a, *a]",
    lambda: b"!!python/object:os.system {}", lambda: b"\0", lambda: b"1e999", lambda: b'{"' * 10_000,
    lambda: b"\x1b]0;",
]  # fmt: skip


def _places(root: list[Any]) -> Any:
    """(holder, key) of every value within a document, itself included."""
    stack: list[tuple[Any, Any]] = [(root, 0)]
    while stack:
        holder, key = stack.pop()
        yield holder, key
        inner = holder[key]
        if isinstance(inner, dict):
            stack += [(inner, name) for name in inner]
        elif isinstance(inner, list):
            stack += [(inner, number) for number in range(len(inner))]


def as_json(draw: Mutator, content: bytes) -> bytes:
    """One JSON document, damaged in its values or in its text."""
    if draw.random.random() < 0.3:
        return draw.bytes(content)
    return _dumped(draw, draw.value(json.loads(content)))


def as_jsonl(draw: Mutator, content: bytes) -> bytes:
    """JSON lines; now and then as one array."""
    if draw.random.random() < 0.3:
        return draw.bytes(content)
    rows = [json.loads(line) for line in content.splitlines()]
    rows = draw.value(rows)
    if not isinstance(rows, list) or draw.random.random() < 0.2:
        return _dumped(draw, rows)
    return b"".join(_dumped(draw, row) + b"\n" for row in rows)


def as_yaml(draw: Mutator, content: bytes) -> bytes:
    """A YAML mapping."""
    if draw.random.random() < 0.4:
        return draw.bytes(content)
    text = yaml.safe_dump(draw.value(yaml.safe_load(content)), allow_unicode=draw.random.random() < 0.5)
    return _NESTED.sub(_nested, text).encode("utf-8", "surrogatepass")


def as_bytes(draw: Mutator, content: bytes) -> bytes:
    """Anything."""
    return draw.bytes(content)


def as_safetensors(draw: Mutator, content: bytes) -> bytes:
    """A header of JSON with its length before it, and numbers."""
    if draw.random.random() < 0.4:
        return draw.bytes(content)
    (length,) = struct.unpack("<Q", content[:8])
    header, numbers = content[8 : 8 + length], content[8 + length :]
    if draw.random.random() < 0.5:
        place = draw.random.randrange(0, len(numbers), 4)
        wrong = struct.pack("<f", draw.random.choice((float("nan"), float("inf"), -1e38)))
        numbers = numbers[:place] + wrong + numbers[place + 4 :]
    else:
        header = _dumped(draw, draw.value(json.loads(header)))
    return struct.pack("<Q", len(header)) + header + numbers


def _dumped(draw: Mutator, value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=draw.random.random() < 0.7)
    return _NESTED.sub(_nested, text).encode("utf-8", "backslashreplace")


def one_file(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(content) and None


def jsonl(*rows: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)
