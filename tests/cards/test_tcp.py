"""The reader on TCP, against the bench's device, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from card_io.errors import GarbledAnswer
from card_io.reader import CardPresented, CardRefused, CardRemoved, ReaderDown, ReaderUp
from card_io.tcp import Message, TcpReader, read_message
from sim.cards.field import SilentCard
from sim.cards.tcp import TcpReaderDevice
from tests.cards.bench import KEYS, NUMBER, PROFILE, Events, card, listening, seeded, sleep_ms


@asynccontextmanager
async def device() -> AsyncIterator[TcpReaderDevice]:
    bench = TcpReaderDevice()
    await bench.start()
    try:
        yield bench
    finally:
        await bench.stop()


@asynccontextmanager
async def bench_and_events(answer_ms: int = 2000) -> AsyncIterator[tuple[TcpReaderDevice, Events]]:
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
        async with bench_and_events(answer_ms=100) as (bench, events):
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
