"""The page of `memreason web`: its files, and the routes that it asks."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import RedirectResponse, Response

from memreason.explain.report import words
from memreason.serving.browse.library import Library
from memreason.serving.browse.routes import browse_router
from memreason.serving.config import WebConfig, is_loopback
from memreason.serving.errors import ApiError
from memreason.serving.guard import Guard

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_WORDS = ("OUTCOMES", "CAUSES", "CAUSES_MEAN", "GROUNDS", "GROUNDS_MEAN", "INTERVENTIONS")
"""Dictionaries of `explain.report.words` that the page shows too."""


@dataclass(frozen=True)
class Page:
    """What a server shows besides its API: the runs in a ``library``, and its page behind ``guard``."""

    guard: Guard
    library: Library = field(default_factory=lambda: Library(()))
    files: dict[str, bytes] = field(default_factory=lambda: _files(), repr=False)

    @classmethod
    def of(cls, config: WebConfig, key: str | None) -> Page:
        """The page that options ask for. Raises UserError for a run that is not there.

        Where other machines can come, or where clients of the API need a ``key``, the page needs a token; it is a new
        one each time.
        """
        library = Library(config.runs)
        loopback = is_loopback(config.host)
        return cls(Guard(None if loopback and not key else secrets.token_urlsafe(24), loopback), library)

    def address(self, api: str) -> str:
        """The address of the page on a server whose API has the address ``api``, with the token in it.

        The token stands behind a #, so that browsers keep it to themselves: it is in no request, and in no log.
        """
        page = f"{api.removesuffix('/v1')}/web"
        for host in ("//0.0.0.0:", "//[::]:"):  # no browser opens these everywhere
            page = page.replace(host, "//127.0.0.1:")
        return page if self.guard.token is None else f"{page}#token={self.guard.token}"

    def add_to(self, app: FastAPI) -> None:
        """Add the page's files, and the routes by which it looks at runs, to an application."""
        app.include_router(browse_router(self.library))
        self.library.warm()

        @app.get("/")
        async def start() -> Response:
            return RedirectResponse("web")

        @app.get("/web")
        async def index() -> Response:
            return self._file("index.html")

        @app.get("/web/{name}")
        async def file(name: str) -> Response:
            return self._file(name)

    def _file(self, name: str) -> Response:
        if name not in self.files:
            raise ApiError(404, f"there is no /web/{name} here")
        kind = f"{_KINDS[Path(name).suffix]}; charset=utf-8"
        return Response(self.files[name], headers={**HEADERS, "Content-Type": kind})


def _files() -> dict[str, bytes]:
    """Name → content of the page's files. `words.js` has the words of the report, `diff.js` is its own."""
    package = files("memreason")
    folder, report = package / "serving" / "web", package / "explain" / "report" / "template"
    found = {file.name: file.read_bytes() for file in folder.iterdir() if Path(file.name).suffix in _KINDS}
    lines = (f"export const {name} = {json.dumps(getattr(words, name))};\n" for name in _WORDS)
    diff = (report / "diff.js").read_bytes() + b"\nexport { aligned, words };\n"
    return {**found, "words.js": "".join(lines).encode(), "diff.js": diff}
