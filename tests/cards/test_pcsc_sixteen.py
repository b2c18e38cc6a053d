"""As many readers as one pcscd holds: each has its own card, and what goes wrong at one the others do not notice."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from card_io.counters import PurseIntent
from card_io.orders import ResolveOrder, Unresolved
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

    def kill_child(self) -> None:
        assert self.reader.child_pid is not None
        os.kill(self.reader.child_pid, signal.SIGKILL)

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
        hung, sibling, killed, *rest = posts  # the first two are slots of one driver
        silent = Silent()

        async def work() -> None:
            await each(posts, Post.up)
            first = children(posts)
            assert len(set(first)) == MOST_READERS

            await each(posts, lambda post: post.tap(1))
            await each(posts, Post.clear)

            await hung.put_in(silent)
            async with asyncio.timeout(DEADLINE_S):
                await silent.asked.wait()
            killed.kill_child()
            await asyncio.gather(hangs(hung), dies(killed), each([sibling, *rest], swap))
            await hung.clear()
            await asyncio.to_thread(pcscd.wait_for_removal, hung.name)
            await hung.tap(3)
            second = children(posts)
            changed = [post for post, old, new in zip(posts, first, second, strict=True) if old != new]
            assert changed == [hung, killed], "no other reader was started again"

            await asyncio.to_thread(pcscd.kill)  # with a card in each reader
            await each(posts, loses_pcscd)
            await asyncio.to_thread(pcscd.start)
            await each(posts, finds_pcscd)
            await each(posts, lambda post: post.tap(4))
            await each(posts, Post.clear)
            assert children(posts) == second, "a reader's process outlives pcscd"

        await with_all(posts, work)

    asyncio.run(run())


def children(posts: list[Post]) -> list[int | None]:
    return [post.reader.child_pid for post in posts]


async def hangs(post: Post) -> None:
    """The reader gives the silent card up and leaves it alone; it still lies there, and still holds pcscd's thread."""
    found = await post.events.next()
    assert isinstance(found, CardRefused), f"{post.name}: {found}"
    assert found.error_kind == "card_silent"
    down = await post.events.next()
    assert isinstance(down, ReaderDown), f"{post.name}: {down}"
    assert "take the card away" in down.text
    await post.up()
    left = await post.events.next()
    assert isinstance(left, CardRefused), f"{post.name}: {left}"
    assert "left alone" in left.text


async def dies(post: Post) -> None:
    down = await post.events.next()
    assert isinstance(down, ReaderDown), f"{post.name}: {down}"
    assert f"exit code -{signal.SIGKILL:d}" in down.text
    await post.up()
    await post.tap(3)


async def swap(post: Post) -> None:
    await post.tap(2)
    await post.clear()
    await post.tap(3)


async def loses_pcscd(post: Post) -> None:
    # the driver may be seen to go before the daemon, and a dying daemon may once say that it denies access
    while not (isinstance(said := await post.events.next(), ReaderDown) and "pcscd" in said.text):
        pass
    await post.take_out()


async def finds_pcscd(post: Post) -> None:
    while not isinstance(said := await post.events.next(), ReaderUp):
        assert isinstance(said, ReaderDown), f"{post.name}: {said}"


def test_a_start_may_be_slower_than_a_silence_and_an_order_does_not_wait_for_it(tmp_path: Path) -> None:
    """On a small machine sixteen start so: if each were killed for it and started again, none would ever come up."""
    began, gate = tmp_path / "began", tmp_path / "gate"
    for fifo in (began, gate):
        os.mkfifo(fifo)
    (tmp_path / "smartcard").mkdir()
    (tmp_path / "smartcard" / "__init__.py").write_text(
        f"open({str(began)!r}, 'w').write('x')\nopen({str(gate)!r}).read(1)\nraise ImportError('none here')\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}

    async def run(heard: int, opens: int) -> None:
        starting = asyncio.Event()
        asyncio.get_running_loop().add_reader(heard, starting.set)
        slow = PcscReader("any", profile=PROFILE, keys=KEYS, sleep=sleep_ms, environment=environment, silence_ms=1)
        async with listening(slow) as events:
            said = asyncio.create_task(events.next())
            async with asyncio.timeout(DEADLINE_S):
                await starting.wait()
                started = await slow.resolve(
                    ResolveOrder(uid=bytes(7), intent=PurseIntent(1, bytes(8), 1, 5), before=None)
                )
            asyncio.get_running_loop().remove_reader(heard)
            os.write(opens, b"x")
            assert isinstance(started, Unresolved)
            assert started.error_kind == "reader_gone"
            down = await said
            assert isinstance(down, ReaderDown)
            assert "pyscard is not installed" in down.text

    ends = [os.open(fifo, os.O_RDWR | os.O_NONBLOCK) for fifo in (began, gate)]
    try:
        asyncio.run(run(*ends))
    finally:
        for end in ends:
            os.close(end)
