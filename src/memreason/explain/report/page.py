"""The page: explanation.json in one HTML file, with its styles, scripts and pictures in it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from memreason.explain.report import plots, views, words
from memreason.explain.report.numbers import Figures
from memreason.runtime import pages

_FOLDER = Path(__file__).with_name("template")
_SCRIPTS = ("trace.js", "diff.js", "report.js")


def render(explanation: dict[str, Any]) -> str:
    """The report on an explanation (the object of explanation.json), as one HTML page without any request.

    Parts that are null or absent are left out, each with a line that says why. Every number in the page carries its
    place in the explanation (`numbers`). Texts of models and data are inert: they are escaped, characters that would
    reorder them are named, and the page's policy lets only its own script run (by its hash) and nothing be fetched.
    Raises ValueError where a number of the explanation is not finite.
    """
    style = pages.style(_FOLDER / "report.css")
    script = "\n".join((_FOLDER / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    figures = Figures(explanation)
    page = _environment().get_template("report.html")
    return page.render(
        e=explanation,
        f=figures,
        style=Markup(style),
        script=Markup(script),
        policy=pages.policy(style, script),
        data=_inert(_data(explanation)),
        left_out=[why for key, why in words.SECTIONS.items() if not explanation.get(key)],
    )


@cache
def _environment() -> jinja2.Environment:
    environment = pages.templates(_FOLDER, jinja2.ChainableUndefined)
    environment.filters["spoken"] = words.spoken
    environment.globals |= {"plots": plots, "views": views, "words": words, "view": views.view}
    return environment


def _data(explanation: Mapping[str, Any]) -> dict[str, Any]:
    """What the script draws the traces from; what is null is left away."""
    traces = [
        {key: value for key, value in trace.items() if value is not None} for trace in explanation.get("traces") or ()
    ]
    named = {"cause": words.CAUSES, "grounds": words.GROUNDS, "outcome": words.OUTCOMES, "edit": words.INTERVENTIONS}
    return {"traces": traces, "facts": _traces_of(explanation.get("facts") or ()), "words": named}


def _traces_of(facts: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    return {fact["fact"]: fact["traces"] for fact in facts}


def _inert(value: object) -> Markup:
    """JSON that cannot end its script element; ASCII, so that U+2028 and half characters are escaped too."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))
