"""What a command says when something outside of it ends it."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from memreason.runtime.interruptions import as_os_error, ended_by_signals, explain

resource = pytest.importorskip("resource")


@pytest.mark.parametrize(
    ("number", "words", "code"),
    [
        (errno.ENOSPC, r"the disk is full while writing /a/file; .*Free some space and run again", 1),
        (errno.EDQUOT, r"the disk quota is used up while writing /a/file; .*Free some space", 1),
        (errno.EFBIG, r"a limit on the size of files is reached while writing /a/file; .*ulimit -f unlimited", 1),
        (errno.EACCES, r"/a/file: Permission denied; make it readable and writable, or give another place", 2),
        (errno.ENOTDIR, r"/a/file: Not a directory; .* give another place", 2),
        (errno.EEXIST, r"/a/file: File exists; .* give another place", 2),
        (errno.EROFS, r"/a/file: Read-only file system; make it .*MEMREASON_CACHE", 2),
        (errno.EMFILE, r"too many files are open at once; raise the limit \(ulimit -n", 1),
    ],
)
def test_each_cause_has_a_remedy_of_its_own(number: int, words: str, code: int) -> None:
    import re

    message, found = explain(OSError(number, os.strerror(number), "/a/file"))
    assert re.search(words, message) and found == code
    assert number in (errno.ENOSPC,) or "disk is full" not in message


WRITE = """
import resource, sys, torch
from pathlib import Path
from safetensors.torch import save_file
from memreason.runtime.interruptions import as_os_error
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
def by_torch(): torch.save({"a": torch.zeros(10**5)}, sys.argv[1] + "/t.pt")
def by_safetensors(): save_file({"a": torch.zeros(10**5)}, sys.argv[1] + "/t.safetensors")
for write in (by_torch, by_safetensors):
    try:
        write()
    except Exception as error:
        print(as_os_error(error, Path(sys.argv[1])).strerror)
"""


@pytest.mark.slow
def test_a_limit_on_the_size_of_files_is_no_full_disk_whoever_writes(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", WRITE, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["File too large"] * 2


def test_other_errors_are_nobodys_disk(tmp_path: Path) -> None:
    assert as_os_error(RuntimeError("size mismatch"), tmp_path) is None


WAIT = """
import dataclasses, signal, sys, time
import memreason.cli.main as cli
for number in (signal.SIGTERM, signal.SIGHUP):  # which whoever runs the tests in the background may have ignored
    signal.signal(number, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
def wait(argv):
    print("waiting", flush=True)
    time.sleep(60)
cli.COMMANDS["train"] = dataclasses.replace(cli.COMMANDS["train"], run=wait)
sys.exit(cli.main(["train"]))
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_ends_a_command_with_a_word_and_its_own_code(name: str) -> None:
    process = subprocess.Popen([sys.executable, "-c", WAIT], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"waiting\n"
    process.send_signal(getattr(signal, name))
    _, said = process.communicate()
    what = "interrupted" if name == "SIGINT" else f"stopped by {name}"
    assert said.decode().strip() == (
        f"memreason train: {what}; the same command with --resume goes on from the last checkpoint"
    )
    assert process.returncode == 128 + getattr(signal, name)


def test_handlers_are_as_they_were_afterwards() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with ended_by_signals():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before
