"""Options of `memreason serve` and `memreason web`."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import ClassVar, get_args

from memreason.config.fields import BASE_HELP, check_at_least, check_choice, option
from memreason.errors import UserError
from memreason.models.manifest import is_checkpoint
from memreason.records import AnswerKind
from memreason.runtime.devices import DEVICE_HELP, DEVICES

KEY_VARIABLE = "MEMREASON_API_KEY"
"""Environment variable with the key that clients must send; where it is not set, none is asked for."""
ANY_ADDRESS = ("0.0.0.0", "::")
"""Hosts that mean all addresses of this machine."""
KINDS = ("auto", *get_args(AnswerKind))


@dataclass
class ServeConfig:
    """Options of `memreason serve`."""

    _argument_group_name: ClassVar[str] = "serving"

    model_name_or_path: str = option("runs/demo", "a checkpoint of memreason")
    base_model_name_or_path: str | None = option(None, BASE_HELP)
    served_model_name: str | None = option(
        None, "the name by which requests call the model (default: the name of the checkpoint's folder)"
    )
    host: str = option(
        "127.0.0.1",
        "address to listen on. The default takes requests from this machine only; for any other address, a key in the "
        f"environment variable {KEY_VARIABLE} is obligatory",
    )
    port: int = option(8000, "port to listen on; 0 = any free one")
    dtype: str | None = option(None, "data type of the weights (default: the checkpoint's)")
    device: str = option("auto", DEVICE_HELP, DEVICES)
    batch_size: int = option(64, "answers generated at once")
    answer_kind: str = option(
        "auto",
        "how answers are read in votes, and what a constrained answer line can be; auto = as in the checkpoint's "
        "dataset",
        choices=KINDS,
    )
    max_waiting: int = option(1024, "most answers that may wait for their turn; requests beyond get status 429")
    max_n: int = option(128, "most answers that one request may ask for")
    timeout: float = option(300.0, "seconds that a request may take, waiting included; then it ends with status 504")
    max_request_bytes: int = option(262_144, "longest body of a request; a longer one gets status 413")

    def __post_init__(self) -> None:
        for flag, minimum in (("port", 0), ("batch_size", 1), ("max_n", 1), ("max_request_bytes", 1)):
            check_at_least(flag, getattr(self, flag), minimum)
        check_choice("answer_kind", self.answer_kind, KINDS)
        if self.port > 65_535:
            raise UserError(f"--port {self.port}: the highest port is 65535")
        if not self.timeout > 0:
            raise UserError(f"--timeout {self.timeout}: must be above 0")
        if self.max_waiting < self.max_n:
            raise UserError(
                f"--max_waiting {self.max_waiting}: must be at least --max_n ({self.max_n}), the answers of one request"
            )

    def check_host(self, key: str | None) -> None:
        """Raise UserError where other machines could send requests, and no ``key`` is asked for."""
        if not key and not is_loopback(self.host):
            raise UserError(
                f"--host {self.host}: everybody who can reach this machine could use the model; set the environment "
                f"variable {KEY_VARIABLE} to a key that clients must send, or leave --host out"
            )


@dataclass
class WebConfig(ServeConfig):
    """Options of `memreason web`: those of the server, and the runs that the page shows."""

    model_name_or_path: str = option(
        "",
        "the checkpoint that answers (default: the first of the runs that is a checkpoint; where there is "
        "none, nothing can be asked)",
    )
    runs: list[str] = field(
        default_factory=lambda: ["runs/demo"],
        metadata={"help": "runs, evaluations or files of traces to look at; they can also be given without the flag"},
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.model_name_or_path:
            self.model_name_or_path = next(filter(is_checkpoint, self.runs), "")


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
