"""A repository of the hub: found, checked and sent to; with a stand-in for the hub on the loopback address."""

from pathlib import Path

import pytest
from helpers.hub_server import Hub
from huggingface_hub import constants

from memreason.errors import UserError
from memreason.export.repository import Repository

CARD = b"---\nbase_model: some/base\nlicense: mit\n---\n"


@pytest.fixture(params=["one commit", "as it is with Xet"])
def either_way(hub: Hub, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """The stand-in, with each of the two ways in which the library uploads a folder."""
    xet = request.param != "one commit"
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", not xet)
    hub.large_files = not xet
    return hub


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("model.safetensors", "config.json", "memreason.json"):
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "README.md").write_bytes(CARD)
    return tmp_path


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_folder_is_sent_to_a_new_private_repository(either_way: Hub, folder: Path) -> None:
    repository = Repository.find("demo", private=True)
    assert (repository.name, repository.found) == ("me/demo", None)
    repository.check_fits("merged", "some/base", overwrite=False)
    assert repository.send(folder, "merged").endswith("/me/demo")
    assert either_way.repositories["me/demo"] == {".gitattributes": b"", **files(folder)}
    assert either_way.private == {"me/demo"}


def test_a_new_version_replaces_the_model_and_leaves_what_others_put_beside_it(either_way: Hub, folder: Path) -> None:
    others = {"picture.png": b"", "gguf/model.safetensors": b"", ".gitattributes": b""}
    old = {"model-00001-of-00002.safetensors": b"", "model.safetensors.index.json": b"", "tokenizer.json": b""}
    either_way.repositories["lab/demo"] = {**files(folder), **others, **old}
    repository = Repository.find("lab/demo", private=False)
    repository.check_fits("merged", "some/base", overwrite=False)
    repository.send(folder, "merged")
    assert either_way.repositories["lab/demo"] == {**files(folder), **others}


@pytest.mark.parametrize(
    ("there", "message"),
    [
        ({"pytorch_model.bin": b""}, "a model that memreason did not write"),
        ({"adapter_config.json": b"", "memreason.json": b"", "README.md": CARD}, "an adapter"),
        ({"model.safetensors": b"", "memreason.json": b""}, "a model made of another base model"),
        ({"model.safetensors": b"", "memreason.json": b"", "README.md": CARD.replace(b"some", b"any")}, "any/base"),
        ({"README.md": b"", ".gitattributes": b""}, None),
    ],
)
def test_another_model_is_replaced_only_if_asked(hub: Hub, there: dict[str, bytes], message: str | None) -> None:
    hub.repositories["me/demo"] = there
    repository = Repository.find("me/demo", private=False)
    repository.check_fits("merged", "some/base", overwrite=True)
    if message is None:
        repository.check_fits("merged", "some/base", overwrite=False)
        return
    with pytest.raises(UserError, match=f"{message}.*--overwrite_repository"):
        repository.check_fits("merged", "some/base", overwrite=False)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a/b/c", "no name for a repository"),
        ("what?", "no name for a repository"),
        ("others/demo", "is for me, lab, and not for others"),
        ("me/public", "is public"),
    ],
)
def test_a_name_that_cannot_be_published_to_is_refused_before_anything_is_sent(
    hub: Hub, name: str, message: str
) -> None:
    hub.repositories["me/public"] = {}
    with pytest.raises(UserError, match=message):
        Repository.find(name, private=True)
    assert not any(request.startswith(("POST", "PUT")) for request in hub.seen)


@pytest.mark.parametrize("token", ["", " ", "hf_unknown"])
def test_a_token_comes_from_the_environment_and_is_never_shown(
    hub: Hub, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(UserError, match="HF_TOKEN") as caught:
        Repository.find("demo", private=False)
    assert "hf_unknown" not in str(caught.value)


def test_a_token_that_may_only_read_is_refused(hub: Hub) -> None:
    hub.role = "read"
    with pytest.raises(UserError, match="may only read"):
        Repository.find("demo", private=False)


def test_without_the_hub_it_is_said_at_once(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(constants, "HF_HUB_OFFLINE", True)
        with pytest.raises(UserError, match=r"HF_HUB_OFFLINE is set.*--dry_run"):
            Repository.find("demo", private=False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"cannot be reached.*--dry_run"):
        Repository.find("demo", private=False)


def test_where_sending_fails_the_message_says_how_to_send_what_is_written(hub: Hub, folder: Path) -> None:
    repository = Repository.find("demo", private=False)
    hub.refuses = ("/commit/", 403)
    with pytest.raises(UserError, match=rf"may not do this.*hf upload me/demo {folder}"):
        repository.send(folder, "merged")


def test_the_licence_of_the_base_model_is_what_its_page_states(hub: Hub) -> None:
    hub.repositories["some/base"] = {"README.md": b"---\nlicense: other\nlicense_name: own\n---\n"}
    repository = Repository.find("demo", private=False)
    assert repository.licence_of("some/base") == {"license": "other", "license_name": "own"}
    assert repository.licence_of("some/unknown") == repository.licence_of("") == {}
