"""Who may use a server with a page."""

from pathlib import Path

import pytest
from starlette.datastructures import Headers

from memreason.errors import UserError
from memreason.serving.config import WebConfig
from memreason.serving.errors import ApiError
from memreason.serving.guard import Guard
from memreason.serving.page import Page

HERE, OTHERS = Guard(None, loopback=True), Guard("secret", loopback=False)


def status(guard: Guard, path: str, **headers: str) -> int:
    try:
        guard.check(path, Headers({name.replace("_", "-"): value for name, value in headers.items()}))
    except ApiError as error:
        return error.status
    return 200


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "localhost"])
def test_this_machine_may(host: str) -> None:
    assert status(HERE, "/web/api/ask", host=host, origin=f"http://{host}") == 200
    assert status(HERE, "/web", host=host, sec_fetch_site="cross-site") == 200  # a link from elsewhere


@pytest.mark.parametrize("path", ["/web", "/web/api/model", "/v1/chat/completions", "/health"])
def test_other_names_for_this_machine_and_pages_of_other_sites_may_not(path: str) -> None:
    for host in ("evil.example:8000", "127.0.0.1.evil.example", "", "[bad"):
        assert status(HERE, path, host=host) == 403
    for origin in ("http://evil.example", "http://localhost:3000", "null"):
        assert status(HERE, path, host="localhost:8000", origin=origin) == 403
    for guard in (HERE, OTHERS):
        for site in ("cross-site", "same-site"):
            token = {"authorization": "Bearer secret"}
            assert status(guard, "/web/api/model", host="localhost:8000", sec_fetch_site=site, **token) == 403


def test_other_machines_need_the_token_for_all_but_the_page_itself() -> None:
    assert status(OTHERS, "/web/api/model", host="big:8000", authorization="Bearer secret") == 200
    for given in ("", "Bearer", "Bearer secrets", "Basic secret", "secret", "Bearer ÿ"):
        assert status(OTHERS, "/web/api/model", host="big:8000", authorization=given) == 401
    assert status(OTHERS, "/web/main.js", host="big:8000") == 200


def test_the_token_stands_in_the_address_and_is_a_new_one_each_time(tmp_path: Path) -> None:
    runs = [str(tmp_path)]
    assert Page.of(WebConfig(runs=runs), None).address("http://127.0.0.1:8000/v1") == "http://127.0.0.1:8000/web"
    for config, key in ((WebConfig(runs=runs, host="0.0.0.0"), "key"), (WebConfig(runs=runs), "key")):
        pages = [Page.of(config, key) for _ in range(2)]
        address, token = pages[0].address("http://0.0.0.0:8000/v1").split("#token=")
        assert address == "http://127.0.0.1:8000/web" and token == pages[0].guard.token
        assert len(token) >= 32 and token != pages[1].guard.token
    with pytest.raises(UserError, match="nowhere"):
        Page.of(WebConfig(runs=["nowhere"]), None)
