"""Which options can be, and who may be served without a key."""

import socket
from pathlib import Path

import pytest

from memreason.cli.main import main
from memreason.config.run import RunConfig, write_config
from memreason.errors import UserError
from memreason.serving.config import ServeConfig, WebConfig, is_loopback
from memreason.serving.server import kind_of_data


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"port": 70_000}, "--port 70000"),
        ({"timeout": 0}, "--timeout 0"),
        ({"timeout": float("nan")}, "--timeout nan"),
        ({"batch_size": 0}, "--batch_size 0"),
        ({"max_waiting": 10}, "--max_waiting 10"),
        ({"answer_kind": "yes"}, "--answer_kind 'yes'"),
    ],
)
def test_options_that_cannot_be(options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        ServeConfig(**options)  # type: ignore[arg-type]


def test_other_machines_are_served_with_a_key_only() -> None:
    for host in ("0.0.0.0", "::", "example.org"):
        with pytest.raises(UserError, match="MEMREASON_API_KEY"):
            ServeConfig(host=host).check_host(None)
        ServeConfig(host=host).check_host("key")
    ServeConfig().check_host(None)
    assert is_loopback("::1") and is_loopback("localhost") and is_loopback("127.0.0.5")


def test_the_first_run_that_is_a_checkpoint_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("plain", "good"):
        (tmp_path / name).mkdir()
    (tmp_path / "good" / "memreason.json").touch()
    plain, good = str(tmp_path / "plain"), str(tmp_path / "good")
    assert WebConfig(runs=[plain, good]).model_name_or_path == good
    assert WebConfig(runs=[plain, good], model_name_or_path="other").model_name_or_path == "other"
    assert main(["web", plain, str(tmp_path / "nowhere"), "--port", "0"]) == 2
    assert "nowhere" in capsys.readouterr().err


def test_an_address_in_use_is_told_before_the_model_is_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "nowhere", "--port", str(port)]) == 2
    assert f"--port {port}" in capsys.readouterr().err
    assert main(["serve", "nowhere", "--port", "0"]) == 2
    assert "checkpoint nowhere" in capsys.readouterr().err


def test_the_kind_of_answers_is_that_of_the_data(tmp_path: Path, data: Path) -> None:
    def kind(**options: object) -> str | None:
        write_config(tmp_path, RunConfig.of(options))
        return kind_of_data(tmp_path)

    assert kind_of_data(tmp_path) is None
    assert kind(dataset="jsonl", data_path=str(data)) == "boolean"
    assert kind(dataset="jsonl", data_path="/nowhere") is None
