"""Who holds a reader ends with its owner: killed by force, at a card that never answers, it leaves nobody behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sim.cards.field import SilentCard
from tests.cards.bench import DEADLINE_S
from tests.cards.pcscd import READER, PrivatePcscd
from tests.cards.test_card_commands_pcsc import in_reader

ROOT = Path(__file__).parents[2]
FOR_EVER_MS = 600_000

OFFICE = f"""
from card_io.pcsc_card import PcscCard
slot = PcscCard({READER!r}, answer_ms={FOR_EVER_MS})
slot.present()
print(slot._child.pid, flush=True)
slot.transmit(bytes.fromhex("9060000000"))
"""

STATION = f"""
import asyncio, sys
from card_io.pcsc import PcscReader
from tests.cards.bench import KEYS, PROFILE, sleep_ms
from tests.cards.test_pcsc_orders import RESOLVE

async def asks(reader):
    await asyncio.to_thread(sys.stdin.readline)
    asking = asyncio.create_task(reader.resolve(RESOLVE))
    await asyncio.sleep(0)
    print("asked", flush=True)
    await asking

async def main():
    reader = PcscReader({READER!r}, profile=PROFILE, keys=KEYS, sleep=sleep_ms, session_ms={FOR_EVER_MS},
                        silence_ms={FOR_EVER_MS})
    asking = asyncio.create_task(asks(reader))
    async for _ in reader.events():
        print(reader.child_pid, flush=True)

asyncio.run(main())
"""


class Silent(SilentCard):
    """Says when it is asked something."""

    def __init__(self) -> None:
        self.asked = threading.Event()

    def transmit(self, frame: bytes) -> bytes | None:
        self.asked.set()
        return None


def runs(pid: int) -> bool:
    """A process that nobody has reaped yet has ended too."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("owner", "asks"),
    [(OFFICE, False), (STATION, False), (STATION, True)],
    ids=["office", "station", "station, an order behind it"],
)
def test_a_reader_that_hangs_ends_with_its_owner(pcscd: PrivatePcscd, owner: str, asks: bool) -> None:
    card = Silent()
    with in_reader(card, pcscd):
        owning = subprocess.Popen(
            [sys.executable, "-c", owner],
            cwd=ROOT,
            env=pcscd.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with owning:
            try:
                assert owning.stdout is not None
                child = int(owning.stdout.readline())
                assert card.asked.wait(DEADLINE_S)
                if asks:
                    print("ask", file=owning.stdin, flush=True)
                    assert owning.stdout.readline() == "asked\n"
                assert runs(child)
            finally:
                owning.kill()
        try:
            until = time.monotonic() + DEADLINE_S
            while runs(child):
                assert time.monotonic() < until, "an orphan holds the reader"
                time.sleep(0.01)
        finally:
            if runs(child):
                os.kill(child, signal.SIGKILL)
