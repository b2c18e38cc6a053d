"""As many readers as one pcscd holds: each has its own card, and what goes wrong at one is not noticed at the others."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from card_io.pcsc import PcscReader
from card_io.reader import CardPresented, CardRefused, CardRemoved, ReaderDown, ReaderUp
from sim.cards.card import SimCard
from sim.cards.field import FieldCard, SilentCard
from tests.cards.bench import DEADLINE_S, KEYS, PROFILE, Events, card, listening, sleep_ms, stay_in_reader
from tests.cards.pcscd import MOST_READERS, PrivatePcscd

# A hung card is found after this long. Sixteen sessions at once on two busy cores are far below it.
SESSION_MS = 2_500


@pytest.fixture
def pcscd(tmp_path: Path) -> Iterator[PrivatePcscd]:
    """A pcscd that is full."""
    daemon = PrivatePcscd(tmp_path, MOST_READERS)
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.close()


class Silent(SilentCard):
    """Says when it hangs the reader."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    def transmit(self, frame: bytes) -> bytes | None:
        self.asked.set()
        return super().transmit(frame)


class Post:
    """One reader, the card that lies in it, and what the reader says."""

    def __init__(self, name: str, port: int, pcscd: PrivatePcscd) -> None:
        self.name = name
        self._port = port
        self.reader = PcscReader(
            f"^{re.escape(name)}$",
            profile=PROFILE,
            keys=KEYS,
            sleep=sleep_ms,
            environment=pcscd.environment,
            session_ms=SESSION_MS,
        )
        self.events: Events
        self._card: asyncio.Task[None] | None = None

    def number(self, turn: int) -> str:
        """The number of this reader's card, of each turn another one: it ends with the digits of the reader's name."""
        digits = "".join(re.findall(r"\d", self.name))
        return f"{7001:<09}{turn:02}{digits}"

    def make_card(self, turn: int) -> SimCard:
        return card(self.number(turn), uid=b"\x04" + bytes.fromhex(self.number(turn)[-12:]))

    async def put_in(self, sim: FieldCard) -> None:
        inserted = asyncio.Event()
        self._card = asyncio.create_task(stay_in_reader(sim, self._port, inserted))
        async with asyncio.timeout(DEADLINE_S):
            await inserted.wait()

    async def take_out(self) -> None:
        """As well when pcscd is gone, and the card with it. Raises what the card raised."""
        assert self._card is not None
        self._card.cancel()
        (ended,) = await asyncio.gather(self._card, return_exceptions=True)
        if ended is not None and not isinstance(ended, asyncio.CancelledError):
            raise ended

    async def up(self) -> None:
        assert await self.events.next() == ReaderUp(), self.name

    async def tap(self, turn: int) -> None:
        """Its own card is put in and proven, and nothing else is said."""
        await self.put_in(self.make_card(turn))
        said = await self.events.next()
        assert isinstance(said, CardPresented), f"{self.name}: {said}"
        assert (said.facts.card_number, said.facts.assurance) == (self.number(turn), "proven"), self.name

    async def clear(self) -> None:
        await self.take_out()
        assert await self.events.next() == CardRemoved(), self.name


async def each(posts: list[Post], work: Callable[[Post], Coroutine[Any, Any, None]]) -> None:
    """All at once, and the first failure at once."""
    async with asyncio.TaskGroup() as group:
        for post in posts:
            group.create_task(work(post))


async def with_all(posts: list[Post], work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Does the work while all readers listen; then all end together, and their children with them."""
    ready, done = asyncio.Semaphore(0), asyncio.Event()

    async def hold(post: Post) -> None:
        async with listening(post.reader) as post.events:
            ready.release()
            await done.wait()

    holds = [asyncio.create_task(hold(post)) for post in posts]
    try:
        for _ in posts:
            await ready.acquire()
        await work()
    finally:
        done.set()
        await asyncio.gather(*holds)


def test_sixteen_readers_go_on_whatever_befalls_two_of_them_and_pcscd(pcscd: PrivatePcscd) -> None:
    async def run() -> None:
        posts = [Post(name, port, pcscd) for name, port in pcscd.ports.items()]
        assert len(posts) == MOST_READERS

        async def work() -> None:
            await each(posts, Post.up)
            children = [post.reader.child_pid for post in posts]
            assert len(set(children)) == MOST_READERS

            await each(posts, lambda post: post.tap(1))
            await each(posts, Post.clear)

            hung, killed, *others = posts  # the first two are slots of one driver: a hung one is close to a good one
            silent = Silent()
            await hung.put_in(silent)
            async with asyncio.timeout(DEADLINE_S):
                await silent.asked.wait()
            await others[0].tap(2)
            assert killed.reader.child_pid is not None
            os.kill(killed.reader.child_pid, signal.SIGKILL)
            await asyncio.gather(
                _hangs_and_comes_back(hung, pcscd), _dies_and_comes_back(killed), each(others, _swap_twice)
            )
            now = [post.reader.child_pid for post in posts]
            assert [before for before, after in zip(children, now, strict=True) if before != after] == children[:2]

            await asyncio.to_thread(pcscd.kill)
            await each(posts, _said_pcscd_is_gone)
            await asyncio.to_thread(pcscd.start)
            await each(posts, _said_up_again)
            await each(posts, lambda post: post.tap(5))
            await each(posts, Post.clear)
            assert [post.reader.child_pid for post in posts] == now, "a reader's process outlives pcscd"

        await with_all(posts, work)

    asyncio.run(run())


