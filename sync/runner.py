"""Runs the station's end of the link on an event loop, real or virtual.

Joins the cores of `sync.station` to three things it knows only as Protocols: the journal as an outbox, a transport,
and the clock. All waiting goes through that clock, so a simulated station runs this very code in virtual time.
Knows no HTTP and no SQLite.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller.domain.headquarters import SetApart, UsedCode
from controller.domain.records import GENESIS, Row
from controller.domain.seams import US_PER_MS, US_PER_S, Clock, Randomness
from sync.station import HEARTBEAT_US, Ending, LookUp, Outcome, RequestLane, SendAfter, SendRequest, Uplink, Wait
from sync.wire import (
    BATCHES_PATH,
    REQUESTS_PATH,
    Ask,
    Batch,
    Request,
    WireError,
    pack_batch,
    pack_request,
    rows_that_fit,
    unpack_acknowledgement,
    unpack_reply,
)

POST_MAX_US = 90 * US_PER_S
"""A transport that has not come back by now never will: longer than its own time-outs together."""


class LinkDown(Exception):
    """Nothing came back, or nothing of use. It will be tried again; the text says what to look at."""


class Refused(Exception):
    """Headquarters answered and will not take this message. The text is its sentence."""


class Outbox(Protocol):
    """The journal, as sync sees it. Rows are counted by `seq` from 1 along this station's one chain."""

    @property
    def head_seq(self) -> int:
        """The last row that is on disk; 0 if there is none."""
        ...

    @property
    def cursor(self) -> int:
        """What `set_cursor` was last given; 0 at the beginning."""
        ...

    async def rows_after(self, seq: int, limit: int) -> list[Row]: ...

    async def row_at(self, seq: int) -> Row | None: ...

    async def set_cursor(self, seq: int) -> None:
        """Remember it. It may go back, and it may be lost in a power cut: it only saves work."""
        ...


class Transport(Protocol):
    """How bytes reach headquarters."""

    async def post(self, path: str, body: bytes) -> bytes:
        """The answer's body. LinkDown or Refused, each with a sentence."""
        ...


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """The link as the terminal shows it. `down_since_ms`: wall time, 0 while connected. `trouble`: a sentence."""

    connected: bool
    waiting_rows: int
    down_since_ms: int
    trouble: str


async def post_patiently(transport: Transport, clock: Clock, path: str, body: bytes) -> bytes:
    """The transport's answer, or LinkDown when it does not come back at all."""
    post = asyncio.ensure_future(transport.post(path, body))
    patience = asyncio.ensure_future(clock.sleep_until(clock.now().mono_us + POST_MAX_US))
    try:
        await asyncio.wait({post, patience}, return_when=asyncio.FIRST_COMPLETED)
        if post.done():
            return post.result()
        raise LinkDown("headquarters took the message and never answered: it may be overloaded")
    finally:
        for task in (post, patience):
            if not task.done():
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


class LinkRunner:
    """One station's link: `run()` it as a task, `notify()` it after each commit, `ask()` it questions.

    `on_status` is called on the loop whenever the status has changed. `on_late` gets an answer that came after its
    request had ended as unknown; `on_set_apart` each sum that headquarters says is set apart here,
    `on_used_codes` codes that were used at other stations.
    """

    def __init__(
        self,
        *,
        station: str,
        key: Ed25519PrivateKey,
        outbox: Outbox,
        transport: Transport,
        clock: Clock,
        randomness: Randomness,
        on_status: Callable[[LinkStatus], None] | None = None,
        on_late: Callable[[Outcome], None] | None = None,
        on_set_apart: Callable[[SetApart], None] | None = None,
        on_used_codes: Callable[[tuple[UsedCode, ...]], None] | None = None,
        heartbeat_us: int | None = HEARTBEAT_US,
    ) -> None:
        self._station = station
        self._key = key
        self._outbox = outbox
        self._transport = transport
        self._clock = clock
        self._on_status = on_status
        self._on_late = on_late
        self._on_set_apart = on_set_apart
        self._on_used_codes = on_used_codes
        self._uplink = Uplink(
            station,
            cursor=outbox.cursor,
            head_seq=outbox.head_seq,
            randomness=randomness,
            now_us=self._now_us(),
            heartbeat_us=heartbeat_us,
        )
        self._kept_cursor = outbox.cursor
        self._lane = RequestLane()
        self._asked: dict[str, asyncio.Future[Outcome]] = {}
        self._uplink_wake = asyncio.Event()
        self._lane_wake = asyncio.Event()
        self._posts: set[asyncio.Task[None]] = set()
        self._status = self._read_status()

    @property
    def status(self) -> LinkStatus:
        return self._status

    def notify(self) -> None:
        """Rows were committed. Call it on the loop."""
        self._uplink.head_moved(self._outbox.head_seq, self._now_us())
        self._show()
        self._uplink_wake.set()

    async def ask(self, ask: Ask, command_id: str, *, deadline_us: int | None = None) -> Outcome:
        """Ask headquarters; comes back at the deadline at the latest, with "unknown" if need be.

        Needs `run()` beside it. ValueError if the id is in use for another question.
        """
        self._lane.ask(ask, command_id, self._now_us(), deadline_us=deadline_us)
        future = self._asked.setdefault(command_id, asyncio.get_running_loop().create_future())
        self._lane_wake.set()
        return await asyncio.shield(future)

    async def run(self) -> None:
        """Until cancelled. A failure of the outbox ends it and is raised; a failure of the link never does."""
        tasks = {asyncio.ensure_future(self._run_uplink()), asyncio.ensure_future(self._run_lane())}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (*tasks, *self._posts):
                task.cancel()
            await asyncio.gather(*tasks, *self._posts, return_exceptions=True)
            for command_id, future in self._asked.items():
                if not future.done():
                    future.set_result(Outcome(command_id, Ending.UNKNOWN, None, "the link is being stopped"))
            self._asked.clear()

    async def _run_uplink(self) -> None:
        uplink = self._uplink
        while True:
            self._uplink_wake.clear()
            uplink.head_moved(self._outbox.head_seq, self._now_us())
            self._show()
            match uplink.next(self._now_us()):
                case SendAfter(seq, limit):
                    await self._send_batch(seq, limit)
                case LookUp(seq):
                    row = await self._outbox.row_at(seq)
                    uplink.looked_up(seq, row.hash if row else None, self._now_us())
                case Wait(until_us):
                    await self._wait(self._uplink_wake, until_us)
            if uplink.cursor != self._kept_cursor:
                self._kept_cursor = uplink.cursor
                await self._outbox.set_cursor(uplink.cursor)

    async def _send_batch(self, seq: int, limit: int) -> None:
        previous = await self._outbox.row_at(seq) if seq else None
        rows = rows_that_fit(await self._outbox.rows_after(seq, limit)) if limit else ()
        batch = Batch(self._station, seq if previous else 0, previous.hash if previous else GENESIS, rows)
        try:
            answer = await self._post(BATCHES_PATH, pack_batch(batch, self._key))
            acknowledgement = unpack_acknowledgement(answer)
        except LinkDown as error:
            self._uplink.failed(str(error), self._now_us())
        except Refused as error:
            self._uplink.failed(str(error), self._now_us(), refused=True)
        except WireError as error:
            self._uplink.failed(f"headquarters' answer cannot be read: {error}", self._now_us(), refused=True)
        else:
            self._uplink.acknowledged(acknowledgement, self._now_us())
            mine = acknowledgement.station == self._station
            if mine and acknowledgement.used_codes and self._on_used_codes is not None:
                self._on_used_codes(acknowledgement.used_codes)
            if mine and self._on_set_apart is not None:
                for told in acknowledgement.set_apart:
                    self._on_set_apart(told)

    async def _run_lane(self) -> None:
        while True:
            self._lane_wake.clear()
            wish = self._lane.next(self._now_us())
            self._give_outcomes()
            match wish:
                case SendRequest(command_id, ask):
                    self._start(self._send_request(command_id, ask))
                case Wait(until_us):
                    await self._wait(self._lane_wake, until_us)

    async def _send_request(self, command_id: str, ask: Ask) -> None:
        try:
            body = pack_request(Request(command_id, self._station, ask), self._key)
            reply = unpack_reply(await self._post(REQUESTS_PATH, body))
        except LinkDown as error:
            self._lane.failed(command_id, str(error), self._now_us())
        except Refused as error:
            self._lane.failed(command_id, str(error), self._now_us(), refused=True)
        except WireError as error:
            self._lane.failed(command_id, f"headquarters' answer cannot be read: {error}", self._now_us())
        else:
            self._lane.replied(reply, self._now_us())
        self._lane_wake.set()

    def _give_outcomes(self) -> None:
        for outcome in self._lane.outcomes():
            future = self._asked.pop(outcome.command_id, None)
            if future is not None and not future.done():
                future.set_result(outcome)
            elif outcome.late and self._on_late is not None:
                self._on_late(outcome)

    async def _post(self, path: str, body: bytes) -> bytes:
        return await post_patiently(self._transport, self._clock, path, body)

    async def _wait(self, wake: asyncio.Event, until_us: int | None) -> None:
        timer = None if until_us is None else self._clock.call_at(until_us, wake.set)
        try:
            await wake.wait()
        finally:
            if timer is not None:
                timer.cancel()

    def _start(self, sending: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(sending)
        self._posts.add(task)
        task.add_done_callback(self._posts.discard)

    def _now_us(self) -> int:
        return self._clock.now().mono_us

    def _read_status(self) -> LinkStatus:
        uplink, now = self._uplink, self._clock.now()
        since_us = uplink.down_since_us
        if since_us is None:
            down_since_ms = 0
        elif not (kept := getattr(self, "_status", None)) or kept.connected:
            down_since_ms = now.wall_ms - (now.mono_us - since_us) // US_PER_MS
        else:
            down_since_ms = kept.down_since_ms  # once said, it stays, even if the wall clock is set meanwhile
        return LinkStatus(since_us is None, uplink.waiting_rows, down_since_ms, uplink.trouble)

    def _show(self) -> None:
        status = self._read_status()
        if status != self._status:
            self._status = status
            if self._on_status is not None:
                self._on_status(status)
