"""The routes of the page that browses runs. They only read, and only what the library holds."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from memreason.errors import UserError
from memreason.serving.browse.compare import Comparison
from memreason.serving.browse.explained import Explanation
from memreason.serving.browse.figures import figures
from memreason.serving.browse.index import TraceIndex
from memreason.serving.browse.library import Library, Source
from memreason.serving.errors import ApiError

PAGE = 25
"""Traces on one page."""
_SHORT = 400
"""Most characters of a filter."""
Filter = Annotated[str, Query(max_length=_SHORT)]
Page = Annotated[int, Query(ge=1, le=10**9)]


def browse_router(library: Library) -> APIRouter:
    """GET /web/api/runs, /web/api/runs/RUN, /web/api/runs/RUN/traces, /web/api/runs/RUN/explained and /web/api/compare.

    A run that is not in the library is answered with status 404, one whose files cannot be used with 422. The
    functions are not coroutines: FastAPI runs each in a thread, so that reading a file keeps no answer waiting.
    """
    router = APIRouter(prefix="/web/api")
    last: list[Comparison] = []

    @router.get("/runs")
    def runs() -> Response:
        listed = [
            {"name": source.name, "label": source.label, "version": library.version(source)}
            for source in library.sources().values()
        ]
        return _json({"runs": listed, "empty": library.empty()})

    @router.get("/runs/{run:path}/traces")
    def traces(
        run: str, outcome: Filter = "", cause: Filter = "", grounds: Filter = "", split: Filter = "",
        family: Filter = "", fact: Filter = "", changed: Filter = "", id: Filter = "", q: Filter = "", page: Page = 1,
    ) -> Response:  # fmt: skip
        source = _source(library, run)
        index = _index(library, source)
        wanted = {"outcome": outcome, "cause": cause, "grounds": grounds, "split": split, "family": family}
        groups = [{id}] if id else []
        if fact or changed:
            explanation, _ = _explanation(library, source)
            groups += [explanation.about(fact) if explanation else set()] if fact else []
            groups += [explanation.changed(changed) if explanation else set()] if changed else []
        places, facets = index.select(wanted, q, set.intersection(*groups) if groups else None)
        rows = [index.row(place) for place in places[(page - 1) * PAGE : page * PAGE]]
        return _json({"version": library.version(source), "facets": facets, "traces": rows} | _pages(places, page))

    @router.get("/runs/{run:path}/explained")
    def explained(run: str, id: Filter) -> Response:
        explanation, problem = _explanation(library, _source(library, run))
        return _json({"trace": explanation.trace(id) if explanation else None, "problem": problem})

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
                "figures": figures(index, split),
                "explanation": explanation.summary() if explanation else None,
                "explanation_problem": problem,
                "command": source.command,
                "older": explanation is not None and library.is_older(source),
            }
        )

    @router.get("/compare")
    def compare(
        left: Filter, right: Filter, change: Filter = "", split: Filter = "", family: Filter = "", cause: Filter = "",
        id: Filter = "", q: Filter = "", page: Page = 1,
    ) -> Response:  # fmt: skip
        sources = _source(library, left), _source(library, right)
        one, other = (_index(library, source) for source in sources)
        comparison = next((kept for kept in last if kept.left is one and kept.right is other), None)
        if comparison is None:
            comparison = Comparison(one, other)
            last[:] = [comparison]
        wanted = {"change": change, "split": split, "family": family, "cause": cause}
        pairs, values = comparison.select(wanted, q, id)
        return _json(
            {
                "version": " ".join(map(library.version, sources)),
                "labels": [source.label for source in sources],
                "figures": comparison.figures(),
                "facets": values,
                "pairs": [comparison.shown(pair) for pair in pairs[(page - 1) * PAGE : page * PAGE]],
            }
            | _pages(pairs, page)
        )

    return router


def _source(library: Library, name: str) -> Source:
    if (source := library.sources().get(name)) is None:
        raise ApiError(404, f"there is no run {name!r}; GET /web/api/runs lists them", "run_not_found", "run")
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


def _pages(found: list[Any], page: int) -> dict[str, int]:
    return {"total": len(found), "page": page, "pages": max(1, math.ceil(len(found) / PAGE)), "page_size": PAGE}


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
