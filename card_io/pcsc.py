"""A PC/SC reader, as the station holds it: a child process that is watched, killed when it hangs, started again.

The child (`card_io.pcsc_child`) does all that touches pcscd. This side gives it its keys and orders over the pipe,
passes on its events, and knows two things about it: it speaks at least each second, and it may die at any time. An
order whose child died without an answer is of unknown outcome.
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

from card_io import errors
from card_io.application import CardProfile
from card_io.keys import KeyRing
from card_io.orders import CardOrder, ChangeOrder, ResolveOrder, Unresolved, not_begun, unheard, unread
from card_io.pcsc_link import EXIT_HUNG, EXIT_NO_PYSCARD, Alive, Answer, Ask, Line, Start
from card_io.purse import Resolved
from card_io.reader import CardPresented, CardRemoved, ReaderDown, ReaderEvent, ReaderUp, Sleep, pause
from card_io.transaction import Changed

SESSION_MS = 4_000  # a purse's debit takes some 25 APDUs, half a second on a real card; nobody waits longer than this
SILENCE_MS = SESSION_MS + 4_000  # the child says nothing during a session, and each second otherwise
START_MS = 30_000  # the first word may take this long: on a small machine sixteen children start one another slow
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
        self._listens = False
        self._down_text: str | None = None
        self._events: asyncio.Queue[ReaderEvent | None] = asyncio.Queue()
        self._asked: dict[int, asyncio.Future[Answer | None]] = {}
        self._asks = 0

    @property
    def child_pid(self) -> int | None:
        """The present child's process id."""
        return None if self._child is None else self._child.pid

    async def events(self) -> AsyncIterator[ReaderEvent]:
        """See CardReader."""
        # a task of its own reads the pipe: who gives an order between two events gets its answer too
        keeping = asyncio.create_task(self._keep_child())
        keeping.add_done_callback(lambda _: self._events.put_nowait(None))
        try:
            while (event := await self._events.get()) is not None:
                yield event
            await keeping
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    async def close(self) -> None:
        """See CardReader."""
        self._closing.set()
        if self._child is not None:
            await self._end(self._child)

    async def change(self, order: ChangeOrder) -> Changed:
        """See CardReader."""
        if not self._listens:
            return not_begun(self._gone())
        answer = await self._ask(order)
        if answer is None or answer.changed is None:
            return unheard(self._gone())
        return answer.changed

    async def resolve(self, order: ResolveOrder) -> Resolved | Unresolved:
        """See CardReader."""
        answer = await self._ask(order) if self._listens else None
        if answer is None:
            return unread(self._gone())
        return answer.resolved or answer.unresolved or unread(self._gone())

    def _gone(self) -> errors.ReaderGone:
        return errors.ReaderGone("the card reader's process is not there")

    async def _ask(self, order: CardOrder) -> Answer | None:
        """The child's answer; None when it ended without one, whatever it had done."""
        child = self._child
        assert child is not None
        assert child.stdin is not None
        self._asks += 1
        answer: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        self._asked[self._asks] = answer
        child.stdin.write(msgspec.json.encode(Ask(self._asks, order)) + b"\n")
        return await answer  # in time: a child that is silent for too long is killed, and that ends it too

    async def _keep_child(self) -> None:
        retry_ms = RETRY_FIRST_MS
        start = self._start
        while not self._closing.is_set():
            try:
                child = await self._spawn()
            except OSError as error:
                self._say(ReaderDown(f"the card reader's process cannot be started ({error.strerror}): free memory"))
                await pause(self._sleep, RETRY_MAX_MS, self._closing)
                continue
            try:
                why = "it ended"
                try:
                    if self._closing.is_set():
                        return  # while the child was started
                    await self._tell(child, start)
                    async for event in self._lines(child):
                        if isinstance(event, CardPresented | CardRemoved):
                            retry_ms = RETRY_FIRST_MS
                        self._say(event)
                except TimeoutError as error:
                    why = str(error)
                    with contextlib.suppress(ProcessLookupError):  # it has ended in this very moment
                        child.kill()  # who doesn't speak doesn't listen
                except (msgspec.MsgspecError, ValueError, OSError) as error:
                    why = f"it spoke nonsense ({type(error).__name__})"
            finally:
                self._listens = False
                code = await self._end(child)
                self._answer_none()
            if self._closing.is_set():
                return
            start = msgspec.structs.replace(self._start, ignore_present=code == EXIT_HUNG)
            if code != EXIT_NO_PYSCARD:
                self._say(ReaderDown(_why_down(code, why)))
            await pause(self._sleep, retry_ms, self._closing)
            retry_ms = min(2 * retry_ms, RETRY_MAX_MS)

    def _answer_none(self) -> None:
        asked, self._asked = self._asked, {}
        for answer in asked.values():
            if not answer.done():
                answer.set_result(None)

    def _say(self, event: ReaderEvent) -> None:
        if isinstance(event, ReaderDown):
            if event.text == self._down_text:
                return
            self._down_text = event.text
        if isinstance(event, ReaderUp):
            self._down_text = None
        self._events.put_nowait(event)

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
        """Raises TimeoutError that says how long the child was silent."""
        assert child.stdout is not None
        limit_ms = max(START_MS, self._silence_ms)
        while True:
            try:
                async with asyncio.timeout(limit_ms / 1000):
                    raw = await child.stdout.readline()
            except TimeoutError:
                raise TimeoutError(f"it was silent for {limit_ms} ms") from None
            if not raw:
                return
            self._listens, limit_ms = True, self._silence_ms  # who gives an order to one that starts need not wait
            match _DECODER.decode(raw):
                case Alive():
                    pass
                case Answer() as answer:
                    asked = self._asked.pop(answer.number, None)
                    if asked is not None and not asked.done():
                        asked.set_result(answer)
                case event:
                    yield event

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
