"""What others use of the cores decides how many threads compute, now and then, and back again."""

import subprocess
import sys

import pytest
import torch

from memreason.runtime import cpu_threads as module
from memreason.runtime.cpu_threads import Threads, considerate


class Machine:
    """A clock, and the processor seconds of all and of this process."""

    def __init__(self) -> None:
        self.time = self.all = self.own = 0.0

    def passes(self, seconds: float, others: float, own: float = 1.0) -> None:
        self.time += seconds
        self.all += seconds * (others + own)
        self.own += seconds * own

    def threads(self, most: int, cores: int) -> Threads:
        return Threads(most, cores, lambda: (self.all, self.own), lambda: self.time)


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_alone_all_threads_compute(machine: Machine) -> None:
    threads = machine.threads(2, 2)
    for _ in range(5):
        machine.passes(1, others=0.1, own=2)
        assert threads.look() == 2


def test_a_core_that_is_taken_is_left_to_the_other_and_taken_back_when_free(machine: Machine) -> None:
    threads = machine.threads(2, 2)
    machine.passes(1, others=0.5, own=1.5)
    assert threads.look() == 1
    machine.passes(1, others=1.0)
    assert threads.look() == 1
    machine.passes(1, others=0.3)  # not quite free
    assert threads.look() == 1
    machine.passes(1, others=0.1)
    assert threads.look() == 2


@pytest.mark.parametrize(
    "most, cores, others, expected", [(8, 8, 3.0, 5), (8, 8, 0.3, 8), (4, 8, 3.0, 4), (4, 8, 6.0, 2), (2, 2, 9.0, 1)]
)
def test_so_many_threads_fewer_as_cores_are_missing(
    machine: Machine, most: int, cores: int, others: float, expected: int
) -> None:
    threads = machine.threads(most, cores)
    machine.passes(1, others=others)
    assert threads.look() == expected


def test_moments_do_not_count(machine: Machine) -> None:
    threads = machine.threads(2, 2)
    machine.passes(0.1, others=1.0)
    assert threads.look() == 2


IN_A_PROCESS = """
import subprocess, sys, time, torch
from memreason.runtime.cpu_threads import considerate, share_cores
torch.set_num_threads(2)
busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(int(sys.argv[1]))]
with considerate():
    share_cores()
    time.sleep(1.5)
    share_cores()
    print(torch.get_num_threads())
print(torch.get_num_threads())
for one in busy:
    one.kill()
"""


@pytest.mark.slow
def test_beside_real_neighbours_on_every_core_one_thread_computes_and_afterwards_it_is_as_before() -> None:
    import os

    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    command = [sys.executable, "-c", IN_A_PROCESS, str(os.cpu_count())]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "2"]


def test_who_says_how_many_threads_gets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        monkeypatch.setenv("OMP_NUM_THREADS", "2")
        with considerate():
            assert module._active.get() is None
        monkeypatch.delenv("OMP_NUM_THREADS")
        with considerate():
            assert module._active.get()
    finally:
        torch.set_num_threads(before)
