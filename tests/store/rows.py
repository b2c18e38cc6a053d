"""A journal for tests, and programs that use one in a process of their own."""

import subprocess
import sys
from pathlib import Path

from controller.domain.records import Stamp, Started, Stopped
from controller.domain.seams import ClockQuality
from controller.store.journal import Journal
from sim.chance import Chance

ROOT = Path(__file__).resolve().parents[2]
EPOCH = b"epoch--1"
STAMP = Stamp(1_790_000_000_000, b"boot-one", 5, ClockQuality.SIMULATED)
START = Started("TR-0001", "test", True, None)
PATIENCE_S = 60


def open_journal(path: Path | str, epoch: bytes = EPOCH) -> Journal:
    journal = Journal(path, randomness=Chance(1, "keys"))
    journal.begin_epoch(epoch)
    return journal


def write(journal: Journal, count: int, *, size: int = 1) -> list[int]:
    """`count` rows in a commit each; their seqs."""
    return [journal.append([Stopped("x" * size)], STAMP)[0].name.seq for _ in range(count)]


def seqs(journal: Journal) -> list[int]:
    return [body.name.seq for body in journal.replay()]


def process(program: str, *arguments: object) -> subprocess.Popen[str]:
    """`program` in a Python of its own; its answers are read from stdout."""
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(child: subprocess.Popen[str]) -> tuple[str, str]:
    try:
        return child.communicate(timeout=PATIENCE_S)
    finally:
        child.kill()
        child.wait()
