"""`constraints.txt` pins all that is installed for the two commands, and not only what is asked for by name."""

import re
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]


def needed(name: str, extras: frozenset[str], found: dict[str, set[str]]) -> None:
    """Collect the distributions that ``name`` with ``extras`` needs here, and theirs."""
    for line in metadata.requires(name) or []:
        requirement = Requirement(line)
        if requirement.marker and not any(
            requirement.marker.evaluate({"extra": one}) for one in (extras or {""}) | {""}
        ):
            continue
        key, wanted = canonicalize_name(requirement.name), set(requirement.extras)
        if key in found and wanted <= found[key]:
            continue
        found.setdefault(key, set()).update(wanted)
        if key != "memreason" or wanted:
            needed(key, frozenset(wanted), found)


def test_every_distribution_that_the_tests_need_is_pinned() -> None:
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.M))
    pinned = {canonicalize_name(name) for name in pins}
    found: dict[str, set[str]] = {}
    try:
        needed("memreason", frozenset({"dev"}), found)
    except metadata.PackageNotFoundError as error:
        pytest.skip(f"not all is installed here: {error}")
    of_cuda = {name for name in found if name.startswith(("nvidia-", "triton", "cuda-", "setuptools"))}
    assert set(found) - of_cuda - {"memreason"} <= pinned
    assert all("+" not in version for version in pins.values())
