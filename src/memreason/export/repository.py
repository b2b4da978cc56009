"""A repository of models on the Hugging Face hub: found, checked and sent to, with the token in HF_TOKEN alone.

The token goes into the requests, and nowhere else.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from glob import escape
from importlib.metadata import version
from pathlib import Path

from huggingface_hub import HfApi, ModelInfo, get_session
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled, RepositoryNotFoundError
from huggingface_hub.utils import validate_repo_id

from memreason.errors import UserError
from memreason.models.manifest import MANIFEST

TOKEN = "HF_TOKEN"
_PATIENCE = 10.0
"""Seconds to wait for the hub's first answer."""
_OURS = ("*.safetensors", "*.safetensors.index.json", "*config.json", "chat_template.jinja", "tokenizer*")
"""What an exporter writes: such files of an earlier model are deleted where the new one does not have them."""
_WEIGHTS = (".safetensors", ".bin", ".gguf", ".pt", ".pth", ".onnx", ".h5", ".msgpack")


@dataclass(frozen=True)
class Repository:
    """The repository OWNER/NAME; ``found`` is what the hub says of it, or None where it does not exist yet."""

    api: HfApi
    name: str
    private: bool
    found: ModelInfo | None

    @classmethod
    def find(cls, name: str, private: bool) -> Repository:
        """Ask the hub for the repository; without OWNER/ it is the token's owner's.

        Raises UserError for a bad name, a token that is missing, not known or not allowed to write there, where the hub
        cannot be reached, and where the repository is public though ``private``.
        """
        check_name(name)
        flag = f"--push_to_hub {name}"
        token = os.environ.get(TOKEN, "").strip()
        if not token:
            raise UserError(
                f"{flag}: the environment variable {TOKEN} is not set; make a token that may write at "
                f"https://huggingface.co/settings/tokens, and set {TOKEN} to it (or write the folder only: --dry_run)"
            )
        api = HfApi(token=token, library_name="memreason", library_version=version("memreason"))
        with _asking(flag, "check the network, or write the folder only (--dry_run)"):
            get_session().head(api.endpoint, timeout=_PATIENCE)  # the library itself would wait for ever
            account = api.whoami()
            owner = name.partition("/")[0] if "/" in name else account["name"]
            name = name if "/" in name else f"{owner}/{name}"
            _check_may_write(flag, owner, account)
            found = _info(api, name)
        if found and private and not found.private:
            raise UserError(f"{flag}: this repository is public, so that --private has no effect; make it private on "
                            "its settings page, or give another name")  # fmt: skip
        return cls(api, name, private, found)

    @property
    def files(self) -> set[str]:
        """The paths of the files in it."""
        return {file.rfilename for file in self.found.siblings or ()} if self.found else set()

    def check_fits(self, what: str, base: str, overwrite: bool) -> None:
        """Raise UserError where the repository holds another model than ``what`` (merged or adapter) of ``base``.

        ``base`` is the base model's name on the hub, or empty. ``overwrite`` allows it.
        """
        files, there = self.files, _kind(self.files)
        card = self.found.card_data if self.found else None
        theirs = (card.base_model if card else None) or ""
        if overwrite or not there:
            return
        if MANIFEST not in files:
            there = "a model that memreason did not write"
        elif there != what:
            there = "a merged model" if there == "merged" else "an adapter"
        elif base not in ([theirs] if isinstance(theirs, str) else theirs):
            there = f"a model made of {theirs or 'another base model'}"
        else:
            return
        raise UserError(
            f"--push_to_hub {self.name}: this repository holds {there}; give another name, or replace it with "
            "--overwrite_repository"
        )

    def licence_of(self, base: str) -> dict[str, str]:
        """The licence that the hub's page of the model ``base`` states, as fields of a model card; empty if none."""
        if not base:
            return {}
        with _asking(f"the licence of {base}", "try again"):
            found = _info(self.api, base)
        card = found.card_data if found else None
        names = ("license", "license_name", "license_link")
        return {name: str(value) for name in names if card and (value := card.get(name))}

    def send(self, folder: Path, what: str) -> str:
        """Make the repository if it is new, and send the files in ``folder``; returns the address of the page.

        Raises UserError where the hub refuses, or the connection breaks. ``what`` is for the message of the commit.
        """
        stale = [name for name in self.files if "/" not in name and any(fnmatch(name, ours) for ours in _OURS)]
        remedy = f"the files are whole in {folder}: send them with `hf upload {self.name} {folder}`, or repeat the "
        with _asking(f"--push_to_hub {self.name}", f"{remedy}command with --overwrite_output_dir"):
            page = self.api.create_repo(self.name, private=self.private or None, exist_ok=True)
            self.api.upload_folder(
                repo_id=self.name,
                folder_path=folder,
                commit_message=f"memreason export --to hub: {what}",
                delete_patterns=[escape(name) for name in stale] or None,
            )
        return str(page)


def check_name(name: str) -> None:
    """Raise UserError for what cannot be the name of a repository."""
    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise UserError(f"--push_to_hub {name}: no name for a repository ({error}); give OWNER/NAME") from error


def _info(api: HfApi, name: str) -> ModelInfo | None:
    try:
        return api.model_info(name)
    except RepositoryNotFoundError:
        return None


def _check_may_write(flag: str, owner: str, account: dict) -> None:
    """Raise UserError where the account is neither ``owner`` nor in an organisation of that name, or may only read."""
    owners = [account["name"], *(each["name"] for each in account.get("orgs", ()))]
    if owner not in owners:
        raise UserError(f"{flag}: the token in {TOKEN} is for {', '.join(owners)}, and not for {owner}")
    if account.get("auth", {}).get("accessToken", {}).get("role") == "read":
        raise UserError(f"{flag}: the token in {TOKEN} may only read; make one that may write")


def _kind(files: set[str]) -> str:
    """The kind of model that these files are; empty where there is none."""
    if "adapter_config.json" in files:
        return "adapter"
    return "merged" if any(name.endswith(_WEIGHTS) for name in files) else ""


@contextmanager
def _asking(what: str, remedy: str) -> Iterator[None]:
    """Turn what goes wrong between us and the hub into UserError "``what``: …; ``remedy``"."""
    try:
        yield
    except UserError:
        raise
    except OfflineModeIsEnabled as error:
        raise UserError(f"{what}: HF_HUB_OFFLINE is set, so nothing can be sent; unset it, or say --dry_run") from error
    except HfHubHTTPError as error:
        status = error.response.status_code
        reasons = {401: f"the hub does not accept the token in {TOKEN}", 403: f"the token in {TOKEN} may not do this"}
        said = error.server_message or f"status {status}"
        raise UserError(f"{what}: {reasons.get(status, 'the hub refused')} ({said}); {remedy}") from error
    except Exception as error:  # the libraries behind the requests decide which
        words = " ".join(str(error).split())[:200]
        raise UserError(f"{what}: the hub cannot be reached ({type(error).__name__}: {words}); {remedy}") from error
