"""Listening passively at a serial port: whatever comes is decoded and written down, nothing is ever sent.

A tap on the wire hears both directions; who spoke is judged from the frames. Time comes from the injected `Clock`.
"""

import asyncio

from controller.domain.seams import Clock
from controller.pumps.core import LineSettings
from controller.pumps.line import SerialLinePort
from controller.wire.decode import Ear
from controller.wire.record import Recorder

WAIT_US = 1_000_000
"""How long it waits before it looks whether the port is still there."""


class ListeningPort(SerialLinePort):
    """A serial port that is only listened to."""

    def __init__(self, path: str, settings: LineSettings, clock: Clock) -> None:
        self._news = asyncio.Event()
        super().__init__(path, settings, clock)

    def _readable(self) -> None:
        super()._readable()
        self._news.set()

    async def hear(self, wait_us: int) -> tuple[int, bytes]:
        """What has come, and when the last of it came (monotonic); empty after `wait_us`. `PortError` if it is gone."""
        if not self._buffer:
            self._news.clear()
            timer = self._clock.call_at(self._now() + wait_us, self._news.set)
            try:
                await self._news.wait()
            finally:
                timer.cancel()
        if not self._buffer:
            self._check()
        data = bytes(self._buffer)
        self._buffer.clear()
        return (self._quiet_since_us if data else self._now()), data


async def record_port(port: ListeningPort, clock: Clock, ear: Ear, recorder: Recorder) -> None:
    """Until cancelled, or `PortError`; then what is unfinished is written too, and the port closed."""
    began_us = heard_us = clock.now().mono_us
    pending = False
    try:
        while True:
            now_us, data = await port.hear(ear.silence_us if pending else WAIT_US)
            if data:
                recorder.add(ear.hear(data), now_us - began_us)
                heard_us = now_us
            elif pending:
                recorder.add(ear.silence(), heard_us - began_us)
            pending = bool(data)
    finally:
        port.close()
        recorder.add(ear.silence(), heard_us - began_us)
