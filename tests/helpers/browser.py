"""A headless Chromium without network: pages from disk and from servers of this machine load, nothing else does.

Debian's Chromium, driven by Playwright. A test module takes the fixture `browser` by importing it, opens a `page` with
`opened(browser)`, and is skipped where there is no Chromium.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PHONE = {"width": 360, "height": 740}


# A module's and not the session's: while Playwright runs, no other test in this process can run an event loop.
@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here (Debian: apt-get install chromium)")
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    cut = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", cut, "--disable-background-networking"]
        )
        yield chromium
        chromium.close()


@contextmanager
def opened(browser, **options) -> Iterator:
    """A page in a fresh context (``options`` are those of `Browser.new_context`: viewport, color_scheme, …).

    At its end the test fails if the page asked another machine for anything, or if a script of it failed.
    """
    context = browser.new_context(**options)
    page = context.new_page()
    page.set_default_timeout(20_000)
    strangers, failures = [], []
    page.on("request", lambda request: _is_strange(request.url) and strangers.append(request.url))
    page.on("pageerror", lambda error: failures.append(str(error)))
    try:
        yield page
        assert not strangers, strangers
        assert not failures, failures
    finally:
        context.close()


def _is_strange(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme not in ("file", "data", "blob", "about") and parts.hostname not in ("127.0.0.1", "localhost")
