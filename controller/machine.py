"""This machine's clock and chance: the one place where real time and real randomness come in.

Knows nothing of pumps or records. The simulator has its own.
"""

import asyncio
import os
import secrets
import time
from collections.abc import Callable

from controller.domain.seams import US_PER_S, ClockQuality, Now, Timer
from controller.pincheck import verify

NS_PER_MS = 1_000_000
NS_PER_US = 1_000
LOOP_TICK_US = 1_000
"""What the event loop's timers are rounded up to."""
BOOT_ID_FILE = "/proc/sys/kernel/random/boot_id"


class MachineClock:
    """The machine's clocks, and timers on the running event loop."""

    @property
    def quality(self) -> ClockQuality:
        """Synchronised only where systemd says so; otherwise nobody knows."""
        if os.path.exists("/run/systemd/timesync/synchronized"):
            return ClockQuality.SYNCHRONISED
        return ClockQuality.FREE_RUNNING

    def now(self) -> Now:
        return Now(time.time_ns() // NS_PER_MS, time.monotonic_ns() // NS_PER_US)

    def call_at(self, mono_us: int, callback: Callable[[], None]) -> Timer:
        # The loop's clock is time.monotonic(), in seconds; the float is made here and goes nowhere else.
        return asyncio.get_running_loop().call_at(mono_us / US_PER_S, callback)

    async def sleep_until(self, mono_us: int) -> None:
        # The loop waits in whole milliseconds and rounds up. The last one is therefore waited for in turns of the
        # loop, in which everybody else goes on: a pump line waits some twenty times a second, and half a
        # millisecond each time is what its running values would be late by.
        delay_us = mono_us - self.now().mono_us - LOOP_TICK_US
        await asyncio.sleep(max(delay_us, 0) / US_PER_S)
        while self.now().mono_us < mono_us:
            await asyncio.sleep(0)


class MachineRandomness:
    """The operating system's randomness."""

    def random_bytes(self, count: int) -> bytes:
        return secrets.token_bytes(count)

    def below(self, limit: int) -> int:
        return secrets.randbelow(limit)


class ThreadedPins:
    """Checks PINs on a thread, so that pumps and tills go on meanwhile."""

    async def verify(self, verifier: str, typed: str) -> bool:
        return await asyncio.get_running_loop().run_in_executor(None, verify, verifier, typed)


def boot_id() -> bytes:
    """Eight bytes that change at each start of this machine; a random id where the kernel gives none."""
    try:
        with open(BOOT_ID_FILE, encoding="ascii") as file:
            return bytes.fromhex(file.read().strip().replace("-", ""))[:8]
    except OSError:
        return secrets.token_bytes(8)
