"""A PC/SC reader, as the station holds it: a child process that is watched, killed when it hangs, started again.

The child (`card_io.pcsc_child`) does all that touches pcscd. This side gives it its keys over the pipe, passes on
its events, and knows two things about it: it speaks at least each second, and it may die at any time.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import msgspec

from card_io.application import CardProfile
from card_io.keys import KeyRing
from card_io.pcsc_link import EXIT_HUNG, EXIT_NO_PYSCARD, Alive, Line, Start
from card_io.reader import CardPresented, CardRemoved, ReaderDown, ReaderEvent, ReaderUp, Sleep, pause

SESSION_MS = 4_000  # nine APDUs take some 100 ms on a real card; a customer waits no longer than this
SILENCE_MS = SESSION_MS + 4_000  # the child says nothing during a session, and each second otherwise
END_MS = 2_000  # how long a child that was told to end may take
RETRY_FIRST_MS, RETRY_MAX_MS = 100, 5_000

_PACKAGE_ROOT = str(Path(__file__).resolve().parent.parent)
_DECODER = msgspec.json.Decoder(Line)


class PcscReader:
    """A CardReader through PC/SC. `name_pattern` is a regular expression that fits the name of exactly one reader.

    `sleep` waits milliseconds between starts of the child. `environment` replaces the child's (PCSCLITE_CSOCK_NAME
    chooses another pcscd). Raises re.error for a broken pattern.
    """

    def __init__(
        self,
        name_pattern: str,
        *,
        profile: CardProfile,
        keys: KeyRing,
        sleep: Sleep,
        environment: Mapping[str, str] | None = None,
        session_ms: int = SESSION_MS,
        silence_ms: int = SILENCE_MS,
    ) -> None:
        re.compile(name_pattern)  # now, where somebody sees it, and not in the child
        self._start = Start(name_pattern, profile, keys.handover(), session_ms, ignore_present=False)
        self._sleep = sleep
        self._environment = dict(os.environ if environment is None else environment)
        self._silence_ms = silence_ms
        self._closing = asyncio.Event()
        self._child: Process | None = None
        self._down_text: str | None = None

    @property
    def child_pid(self) -> int | None:
        """The present child's process id."""
        return None if self._child is None else self._child.pid

    async def events(self) -> AsyncIterator[ReaderEvent]:
        """See CardReader."""
        retry_ms = RETRY_FIRST_MS
        start = self._start
        while not self._closing.is_set():
            child = await self._spawn()
            try:
                why = "it ended"
                try:
                    await self._tell(child, start)
                    async for event in self._lines(child):
                        if isinstance(event, CardPresented | CardRemoved):
                            retry_ms = RETRY_FIRST_MS
                        if self._is_news(event):
                            yield event
                except TimeoutError:
                    why = f"it was silent for {self._silence_ms} ms"
                    child.kill()  # who doesn't speak doesn't listen
                except (msgspec.MsgspecError, ValueError, OSError) as error:
                    why = f"it spoke nonsense ({type(error).__name__})"
            finally:
                code = await self._end(child)
            if self._closing.is_set():
                return
            start = msgspec.structs.replace(self._start, ignore_present=code == EXIT_HUNG)
            down = ReaderDown(_why_down(code, why))
            if code != EXIT_NO_PYSCARD and self._is_news(down):
                yield down
            await pause(self._sleep, retry_ms, self._closing)
            retry_ms = min(2 * retry_ms, RETRY_MAX_MS)

    async def close(self) -> None:
        """See CardReader."""
        self._closing.set()
        if self._child is not None:
            await self._end(self._child)

    def _is_news(self, event: ReaderEvent) -> bool:
        if isinstance(event, ReaderDown):
            news = event.text != self._down_text
            self._down_text = event.text
            return news
        if isinstance(event, ReaderUp):
            self._down_text = None
        return True

    async def _spawn(self) -> Process:
        # the child must find this very package, wherever the station was started
        path = os.pathsep.join(filter(None, (_PACKAGE_ROOT, self._environment.get("PYTHONPATH", ""))))
        self._child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "card_io.pcsc_child",
            stdin=PIPE,
            stdout=PIPE,
            env={**self._environment, "PYTHONPATH": path},
        )
        return self._child

    async def _tell(self, child: Process, start: Start) -> None:
        assert child.stdin is not None
        child.stdin.write(msgspec.json.encode(start) + b"\n")
        await child.stdin.drain()

    async def _lines(self, child: Process) -> AsyncIterator[ReaderEvent]:
        assert child.stdout is not None
        while True:
            async with asyncio.timeout(self._silence_ms / 1000):
                raw = await child.stdout.readline()
            if not raw:
                return
            line = _DECODER.decode(raw)
            if not isinstance(line, Alive):
                yield line

    async def _end(self, child: Process) -> int:
        """Ends the child, by its own will or by force, and gives its exit code."""
        assert child.stdin is not None
        child.stdin.close()
        try:
            async with asyncio.timeout(END_MS / 1000):
                code = await child.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            code = await child.wait()
        with contextlib.suppress(OSError):
            await child.stdin.wait_closed()
        return code


def _why_down(code: int, why: str) -> str:
    if code == EXIT_HUNG:
        return "the card reader is started again because a card hung it: take the card away"
    return f"the card reader's process is started again: {why} (exit code {code})"
