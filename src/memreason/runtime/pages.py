"""What all pages and pictures share: colours in light and dark, a look, texts that do nothing, a policy."""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

_FOLDER = Path(__file__).with_name("template")
PALETTE = {
    "paper": ("#ffffff", "#14171c"),
    "card": ("#f6f7f8", "#1b1f26"),
    "ink": ("#171a1f", "#e8eaed"),
    "quiet": ("#596070", "#a3abb8"),
    "rule": ("#dfe2e6", "#313742"),
    "memory": ("#0b7189", "#4cc9de"),
    "memory-soft": ("#e2f4f7", "#12343c"),
    "reason": ("#b01e68", "#f584ba"),
    "reason-soft": ("#fbe8f1", "#401d30"),
    "both": ("#5f45b0", "#b5a1f5"),
    "slip": ("#955500", "#edb14f"),
    "plain": ("#6b7381", "#949dac"),
    "right": ("#7e8796", "#808a9a"),
    "in": ("#0f6b3c", "#7ad8a6"),
    "out": ("#a32424", "#ff9c94"),
}
"""Name of a colour → (on light paper, on dark paper)."""


def style(path: Path) -> str:
    """The style of a page: the palette as custom properties, what all pages share, and the file's own rules."""
    colours = "".join(f"--{name}: light-dark({light}, {dark}); " for name, (light, dark) in PALETTE.items())
    shared, own = (each.read_text(encoding="utf-8") for each in (_FOLDER / "base.css", path))
    return f":root {{ {colours}}}\n{shared}{own}"


def templates(folder: Path, undefined: type[jinja2.Undefined] = jinja2.StrictUndefined) -> jinja2.Environment:
    """The templates in ``folder``. What they show is escaped; they have the filters `visible` and `plain`.

    A page begins with `head.html`, which needs `title`, `version`, `style` and `policy`. ``undefined`` says what a
    name without a value does.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, _FOLDER]), autoescape=True, undefined=undefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"visible": visible, "plain": plain}
    return environment


def policy(style: str, script: str = "") -> str:
    """A Content-Security-Policy under which a page fetches nothing and runs nothing but this style and script."""
    scripts = f"script-src {_hash(script)}; " if script else ""
    return f"default-src 'none'; img-src data:; style-src {_hash(style)}; {scripts}base-uri 'none'; form-action 'none'"


def plain(text: object) -> str:
    """Text of a model or of data where no element can stand (a tooltip): what `visible` would name is U+FFFD."""
    return "".join("\ufffd" if _hides(character) else character for character in str(text))


def visible(text: object) -> Markup:
    """Text of a model or of data, inert: characters that order or hide others are named instead of obeyed.

    Those are Unicode's control, format, line-separating and half characters (Cc, Cf, Zl, Zp, Cs), but for the two
    joiners that Persian, Indic scripts and emoji are written with, and the two that XML forbids. The element isolates
    the direction of its text.
    """
    parts = [
        Markup('<span class="control">U+{:04X}</span>').format(ord(character))
        if _hides(character)
        else escape(character)
        for character in str(text)
    ]
    return Markup("<bdi>{}</bdi>").format(Markup("").join(parts))


def _hides(character: str) -> bool:
    if character in "\ufffe\uffff":
        return True
    return character not in "\n\t\u200c\u200d" and unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp", "Cs")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
