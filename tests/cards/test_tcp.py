"""The reader on TCP, against the bench's device, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

import pytest

from card_io.errors import GarbledAnswer
from card_io.orders import ResolveOrder, Unresolved
from card_io.reader import (
    CardPresented,
    CardReader,
    CardRefused,
    CardRemoved,
    ReaderDown,
    ReaderEvent,
    ReaderUp,
)
from card_io.tcp import APDU, INSERTED, REMOVED, Message, TcpReader, read_message
from sim.cards.field import SilentCard
from sim.cards.tcp import TcpReaderDevice
from sim.held_ports import HeldPorts
from tests.cards.bench import DEADLINE_S, KEYS, NUMBER, PROFILE, UID, Events, card, listening, seeded, sleep_ms
from tests.cards.office import INTENT

RESOLVE = ResolveOrder(uid=UID, intent=INTENT, before=None)


@asynccontextmanager
async def device() -> AsyncIterator[TcpReaderDevice]:
    with closing(HeldPorts()) as ports:  # it may go and come back
        bench = TcpReaderDevice(port=ports.one())
        await bench.start()
        try:
            yield bench
        finally:
            await bench.stop()


@asynccontextmanager
async def bench_and_events(answer_ms: int = 20_000) -> AsyncIterator[tuple[TcpReaderDevice, Events]]:
    async with device() as bench:
        client = TcpReader(
            "127.0.0.1",
            bench.port,
            profile=PROFILE,
            keys=KEYS,
            random_bytes=seeded(3),
            sleep=sleep_ms,
            answer_ms=answer_ms,
        )
        async with listening(client) as events:
            assert await events.next() == ReaderUp()
            yield bench, events


def test_cards_come_are_proven_and_go() -> None:
    async def run() -> None:
        async with bench_and_events() as (bench, events):
            for number in (NUMBER, "7009999999999999"):
                bench.insert(card(number))
                presented = await events.next()
                assert isinstance(presented, CardPresented)
                assert presented.facts.card_number == number
                bench.remove()
                assert await events.next() == CardRemoved()

    asyncio.run(run())


def test_a_card_swapped_in_one_moment_is_two_cards() -> None:
    async def run() -> None:
        async with bench_and_events() as (bench, events):
            bench.insert(SilentCard())
            bench.insert(card())
            first = await events.next()
            assert isinstance(first, CardRefused)
            assert first.error_kind == "card_removed"
            assert await events.next() == CardRemoved()
            assert isinstance(await events.next(), CardPresented)

    asyncio.run(run())


def test_a_silent_card_is_refused_in_time() -> None:
    async def run() -> None:
        async with bench_and_events(answer_ms=1_000) as (bench, events):
            bench.insert(SilentCard())
            refused = await events.next()
            assert isinstance(refused, CardRefused)
            assert refused.error_kind == "card_silent"
            bench.insert(card())
            assert await events.next() == CardRemoved()
            assert isinstance(await events.next(), CardPresented)

    asyncio.run(run())


def test_a_reader_that_went_comes_back_with_the_card_that_lies_on_it() -> None:
    async def run() -> None:
        async with bench_and_events() as (bench, events):
            await bench.stop()
            assert isinstance(await events.next(), ReaderDown)
            bench.insert(card())
            await bench.start()
            while not isinstance(again := await events.next(), ReaderUp):
                assert isinstance(again, ReaderDown)
            assert isinstance(await events.next(), CardPresented)

    asyncio.run(run())


def test_a_reader_that_is_closed_at_any_moment_of_its_start_ends() -> None:
    async def run(turns: int) -> list[ReaderEvent]:
        async with device() as bench:
            client = TcpReader(
                "127.0.0.1", bench.port, profile=PROFILE, keys=KEYS, random_bytes=seeded(3), sleep=sleep_ms
            )
            told = [event async for event in _closed_after(client, turns)]
            await client.close()
            return told

    for turns in range(12):
        assert asyncio.run(run(turns)) in ([], [ReaderUp()]), f"closed after {turns} turns of the loop"


def test_a_card_whose_answer_nobody_waits_for_any_more_is_over() -> None:
    async def run() -> None:
        asked = asyncio.Event()

        async def hold(stream: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(bytes(Message(INSERTED, 1)))
            for answer in ("6A82", "DEADBEEF9000"):  # a foreign card, and its UID
                await read_message(stream)
                writer.write(bytes(Message(APDU, 1, bytes.fromhex(answer))))
            await read_message(stream)
            asked.set()
            await stream.read()
            writer.close()

        async with await asyncio.start_server(hold, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            client = TcpReader("127.0.0.1", port, profile=PROFILE, keys=KEYS, random_bytes=seeded(3), sleep=sleep_ms)
            async with listening(client) as events:
                assert await events.next() == ReaderUp()
                assert isinstance(await events.next(), CardPresented)
                asking = asyncio.create_task(client.resolve(RESOLVE))
                await asked.wait()
                asking.cancel()
                await asyncio.gather(asking, return_exceptions=True)
                again = await client.resolve(RESOLVE)  # the answer under way would be taken for this one's
                assert isinstance(again, Unresolved)
                assert again.error_kind == "card_removed"

    asyncio.run(run())


async def _closed_after(reader: CardReader, turns: int) -> AsyncIterator[ReaderEvent]:
    """The events of a reader that is closed so many turns of the loop after they were first asked for."""

    async def close() -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        await reader.close()

    async with asyncio.timeout(DEADLINE_S):
        closing_it = asyncio.create_task(close())
        async for event in reader.events():
            await closing_it  # whoever takes an event may take its time over it
            yield event
        await closing_it


def test_a_reader_that_forgets_to_say_that_a_card_went_shows_two_cards_all_the_same() -> None:
    async def run() -> None:
        said = [Message(INSERTED, 1), Message(INSERTED, 2), Message(REMOVED, 2), Message(REMOVED, 2)]
        told = asyncio.Event()

        async def tell(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"".join(map(bytes, said)))
            await told.wait()
            writer.close()

        async with await asyncio.start_server(tell, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            client = TcpReader("127.0.0.1", port, profile=PROFILE, keys=KEYS, random_bytes=seeded(3), sleep=sleep_ms)
            async with listening(client) as events:
                heard = [await events.next() for _ in range(5)]
                told.set()
                heard.append(await events.next())
        kinds = [type(event) for event in heard]
        assert kinds == [ReaderUp, CardRefused, CardRemoved, CardRefused, CardRemoved, ReaderDown]

    asyncio.run(run())


@pytest.mark.parametrize("raw", ["0000", "0001 01", "FFFF", "0002 0700"])
def test_nonsense_from_a_reader_has_a_name(raw: str) -> None:
    async def run() -> None:
        stream = asyncio.StreamReader()
        stream.feed_data(bytes.fromhex(raw))
        stream.feed_eof()
        await read_message(stream)

    with pytest.raises(GarbledAnswer):
        asyncio.run(run())


def test_a_message_is_checked_before_it_goes() -> None:
    assert bytes(Message(3, 7, b"\x90")) == bytes.fromhex("0003 03 07 90")
    for wrong in ((0, 0, b""), (4, 0, b""), (3, 256, b""), (3, 0, bytes(299))):
        with pytest.raises(ValueError, match=r"message|ordinal"):
            Message(*wrong)
