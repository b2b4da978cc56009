"""Who may use the page: this machine, or who has the token; and no page of another site."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from memreason.serving.config import is_loopback
from memreason.serving.errors import ApiError

API = "/web/api/"
"""What the page asks the server for lies here. The page itself holds no data, and is given to everybody."""


@dataclass(frozen=True)
class Guard:
    """Checks requests to a server with a page.

    Any site that somebody visits can make the browser send requests to this machine. So a request that a browser says
    to come from another site is refused, and, on a server for this machine only (``loopback``), one that is addressed
    to another name: a site can let its own name point to 127.0.0.1 (DNS rebinding). Where there is a ``token``, what
    the page asks for needs it.
    """

    token: str | None
    loopback: bool

    def check(self, path: str, headers: Headers) -> None:
        """Raise ApiError for a request that is not answered."""
        host, origin = headers.get("host", ""), headers.get("origin")
        if self.loopback and not is_loopback(_name(host)):
            raise ApiError(
                403, f"this server answers at 127.0.0.1 and localhost only, and not as {host!r}", "wrong_host"
            )
        if origin is not None and origin.lower().partition("://")[2] != host.lower():
            raise ApiError(403, f"pages of {origin} may not use this server", "wrong_origin")
        if not path.startswith(API):
            return
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise ApiError(403, "pages of other sites may not use this server", "wrong_origin")
        if self.token is not None and not bears(headers, self.token):
            raise ApiError(
                401,
                "this page needs its token: open the whole address that `memreason web` printed, with #token=…",
                "invalid_token",
                headers={"WWW-Authenticate": "Bearer"},
            )


def bears(headers: Headers, secret: str) -> bool:
    """Whether a request has this bearer token."""
    kind, _, given = headers.get("authorization", "").partition(" ")
    return kind.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), secret.encode())


def _name(host: str) -> str:
    """The name in a Host header, without the port and the brackets of IPv6."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:  # brackets that do not close
        return ""
