"""The routes of the page that browses runs. They only read, and only what the library holds."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict

from memreason.errors import UserError
from memreason.serving.browse.compare import Comparison
from memreason.serving.browse.explained import Explanation
from memreason.serving.browse.figures import figures
from memreason.serving.browse.index import TraceIndex
from memreason.serving.browse.library import Library, Source
from memreason.serving.errors import ApiError
from memreason.serving.guard import API

Found = TypeVar("Found")
PAGE = 25
"""Traces on one page."""
Filter = Annotated[str, Query(max_length=400)]
Page = Annotated[int, Query(ge=1, le=10**9)]


class _Filters(BaseModel):
    """A filter that is empty asks for nothing."""

    model_config = ConfigDict(extra="forbid")

    cause: Filter = ""
    split: Filter = ""
    family: Filter = ""
    id: Filter = ""
    q: Filter = ""
    """Words, all of which stand in the trace, its question, or its id."""
    page: Page = 1


class Wanted(_Filters):
    """The parameters of a list of traces."""

    outcome: Filter = ""
    grounds: Filter = ""
    fact: Filter = ""
    """A fact in the explanation: the traces that recall it."""
    changed: Filter = ""
    """An intervention in the explanation: the traces whose answer it changes."""


class WantedPairs(_Filters):
    """The parameters of a comparison: two runs, and filters."""

    left: Filter
    right: Filter
    change: Filter = ""


def browse_router(library: Library) -> APIRouter:
    """GET /web/api/runs, /web/api/runs/RUN, /web/api/traces/RUN, /web/api/explained/RUN and /web/api/compare.

    A run that is not in the library is answered with status 404, one whose files cannot be used with 422. The
    functions are not coroutines: FastAPI runs each in a thread, so that reading a file keeps no answer waiting.
    """
    router = APIRouter(prefix=API.removesuffix("/"))
    _add_lists(router, library)
    _add_runs(router, library)
    _add_comparison(router, library)
    return router


def _add_lists(router: APIRouter, library: Library) -> None:
    @router.get("/traces/{run:path}")
    def traces(run: str, wanted: Annotated[Wanted, Query()]) -> Response:
        source = _source(library, run)
        index = _index(library, source)
        places, facets = index.select(wanted.model_dump(), wanted.q, _ids(library, source, wanted))
        rows = [index.row(place) for place in _on(wanted.page, places)]
        return _json(
            {"version": library.version(source), "facets": facets, "traces": rows} | _pages(places, wanted.page)
        )

    @router.get("/explained/{run:path}")
    def explained(run: str, id: Filter) -> Response:
        explanation, problem = _explanation(library, _source(library, run))
        return _json({"trace": explanation.trace(id) if explanation else None, "problem": problem})


def _add_runs(router: APIRouter, library: Library) -> None:
    @router.get("/runs")
    def runs() -> Response:
        listed = [
            {"name": source.name, "label": source.label, "version": library.version(source)}
            for source in library.sources().values()
        ]
        return _json({"runs": listed, "empty": library.empty()})

    @router.get("/runs/{run:path}")
    def run(run: str, split: Filter = "") -> Response:
        source = _source(library, run)
        index = _index(library, source)
        explanation, problem = _explanation(library, source)
        return _json(
            {
                "name": source.name,
                "label": source.label,
                "version": library.version(source),
                "n": len(index),
                "judged": index.judged,
                "first_fault": index.first_fault,
                "facets": index.select({})[1],
                "figures": figures(index, split),
                "explanation": explanation.summary() if explanation else None,
                "explanation_problem": problem,
                "command": source.command,
                "report": library.report(source),
                "older": explanation is not None and library.is_older(source),
            }
        )


def _add_comparison(router: APIRouter, library: Library) -> None:
    last: list[Comparison] = []

    @router.get("/compare")
    def compare(wanted: Annotated[WantedPairs, Query()]) -> Response:
        sources = _source(library, wanted.left), _source(library, wanted.right)
        one, other = (_index(library, source) for source in sources)
        comparison = next((kept for kept in last if kept.left is one and kept.right is other), None)
        if comparison is None:
            comparison = Comparison(one, other, (sources[0].label, sources[1].label))
            last[:] = [comparison]
        pairs, values = comparison.select(wanted.model_dump(), wanted.q, wanted.id)
        return _json(
            {
                "version": " ".join(map(library.version, sources)),
                "labels": [source.label for source in sources],
                "figures": comparison.figures,
                "facets": values,
                "pairs": [comparison.shown(pair) for pair in _on(wanted.page, pairs)],
            }
            | _pages(pairs, wanted.page)
        )


def _ids(library: Library, source: Source, wanted: Wanted) -> set[str] | None:
    """The questions that can be in a list, as far as its filters name questions; None where they name none."""
    groups = [{wanted.id}] if wanted.id else []
    if wanted.fact or wanted.changed:
        explanation, _ = _explanation(library, source)
        if wanted.fact:
            groups.append(explanation.about(wanted.fact) if explanation else set())
        if wanted.changed:
            groups.append(explanation.changed(wanted.changed) if explanation else set())
    return set.intersection(*groups) if groups else None


def _source(library: Library, name: str) -> Source:
    if (source := library.sources().get(name)) is None:
        raise ApiError(404, f"there is no run {name!r} here", "run_not_found", "run")
    return source


def _index(library: Library, source: Source) -> TraceIndex:
    try:
        return library.index(source)
    except UserError as error:
        raise ApiError(422, str(error), "unusable_run", "run") from error


def _explanation(library: Library, source: Source) -> tuple[Explanation | None, str | None]:
    """(the explanation, what is wrong with its file)."""
    try:
        return library.explanation(source), None
    except UserError as error:
        return None, str(error)


def _on(page: int, found: list[Found]) -> list[Found]:
    return found[(page - 1) * PAGE : page * PAGE]


def _pages(found: list[Any], page: int) -> dict[str, int]:
    return {"total": len(found), "page": page, "pages": max(1, math.ceil(len(found) / PAGE))}


def _json(value: dict[str, Any]) -> Response:
    """Files may hold NaN, which no browser reads, and halves of characters, which no UTF-8 text holds."""
    try:
        text = json.dumps(value, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(value))
    return Response(text, media_type="application/json", headers={"Cache-Control": "no-store"})


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
