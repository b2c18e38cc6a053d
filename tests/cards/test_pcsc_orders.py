"""Purse orders through the child and the real pcscd, whatever dies in the midst of them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from datetime import date

import pytest

from card_io.counters import PurseIntent
from card_io.orders import DebitOrder, RefundOrder, ResolveOrder, Unresolved
from card_io.pcsc import PcscReader
from card_io.pcsc_link import TICK_MS
from card_io.purse import Resolved
from card_io.reader import CardPresented, CardRefused, CardRemoved, ReaderDown, ReaderEvent, ReaderUp
from card_io.transaction import Changed
from sim.cards.card import SimCard
from sim.cards.field import FieldCard
from tests.cards.bench import DEADLINE_S, UID, Events, listening, sleep_ms
from tests.cards.office import FILL, INTENT, OFFICE, READER_ID, STATION_KEYS, loaded
from tests.cards.pcscd import READER, PrivatePcscd
from tests.cards.test_pcsc import in_field
from tests.cards.test_purse import purse

COMMIT = 0xC7
DEBIT = DebitOrder(uid=UID, intent=INTENT, reader_id=READER_ID)
REFUND = RefundOrder(uid=UID, intent=INTENT, unused=2_000, fill=FILL, today=date(2026, 3, 14), reader_id=READER_ID)
RESOLVE = ResolveOrder(uid=UID, intent=INTENT, before=None)


class Holding(FieldCard):
    """Says when a command comes, does it, and never answers it."""

    latency_ms = 0

    def __init__(self, card: SimCard, ins: int) -> None:
        self.card = card
        self._ins = ins
        self.came = asyncio.Event()

    @property
    def atr(self) -> bytes:
        return self.card.atr

    def reset(self) -> None:
        self.card.reset()

    def transmit(self, frame: bytes) -> bytes | None:
        answer = self.card.transmit(frame)
        if frame[1] != self._ins:
            return answer
        self.came.set()
        return None


def office_reader(pcscd: PrivatePcscd, pattern: str = READER, session_ms: int = 4000) -> PcscReader:
    return PcscReader(
        pattern,
        profile=OFFICE,
        keys=STATION_KEYS,
        sleep=sleep_ms,
        environment=pcscd.environment,
        session_ms=session_ms,
    )


async def until(events: Events, kind: type[ReaderEvent]) -> ReaderEvent:
    while not isinstance(event := await events.next(), kind):
        pass
    return event


def test_a_purse_is_debited_resolved_and_given_its_rest(pcscd: PrivatePcscd) -> None:
    async def run() -> None:
        pcsc, card = office_reader(pcscd), loaded()
        before = await pcsc.change(DEBIT)
        assert (before.outcome, before.error_kind) == ("not_applied", "reader_gone"), "it is not even started"
        async with listening(pcsc) as events:
            assert await events.next() == ReaderUp()
            nobody = await pcsc.change(DEBIT)
            assert (nobody.outcome, nobody.error_kind) == ("not_applied", "card_removed")
            assert isinstance(await pcsc.resolve(RESOLVE), Unresolved)
            async with in_field(card, pcscd):
                tapped = await events.next()
                assert isinstance(tapped, CardPresented)
                assert tapped.facts.purse is not None
                done = await pcsc.change(DEBIT)
                assert done.outcome == "applied"
                assert done.proof is not None
                other = DebitOrder(uid=b"\4" * 7, intent=INTENT, reader_id=READER_ID)
                assert (await pcsc.change(other)).error_kind == "another_card"
                found = await pcsc.resolve(RESOLVE)
                assert isinstance(found, Resolved)
                assert found.fate == "applied"
                assert (await pcsc.change(REFUND)).outcome == "applied"
            assert await events.next() == CardRemoved()
        assert purse(card) == 152_000

    asyncio.run(run())


def test_an_order_wakes_the_child_and_waits_for_no_tick(pcscd: PrivatePcscd) -> None:
    async def run() -> None:
        pcsc = office_reader(pcscd)
        async with listening(pcsc) as events, in_field(loaded(), pcscd):
            await until(events, CardPresented)
            await pcsc.resolve(RESOLVE)
            took_s = []
            # each comes when a look has just begun: if they waited, each would wait for a whole tick
            for _ in range(5):
                began = time.monotonic()
                assert isinstance(await pcsc.resolve(RESOLVE), Resolved)
                took_s.append(time.monotonic() - began)
                if took_s[-1] < 0.8 * TICK_MS / 1_000:
                    return
            pytest.fail(f"every order waited: {took_s}")

    asyncio.run(run())


@pytest.mark.parametrize("what", ["pcscd", "child"])
def test_killed_in_mid_debit_it_is_unknown_and_the_card_tells(pcscd: PrivatePcscd, what: str) -> None:
    async def run() -> None:
        pcsc, holding = office_reader(pcscd), Holding(loaded(), COMMIT)
        async with listening(pcsc) as events:
            assert await events.next() == ReaderUp()
            async with in_field(holding, pcscd):
                await until(events, CardPresented)
                debiting = asyncio.create_task(pcsc.change(DEBIT))
                await holding.came.wait()
                if what == "pcscd":
                    await asyncio.to_thread(pcscd.kill)
                else:
                    assert pcsc.child_pid is not None
                    os.kill(pcsc.child_pid, signal.SIGKILL)
                async with asyncio.timeout(DEADLINE_S):
                    done = await debiting
                assert done.outcome == "unknown", done
                assert isinstance(await until(events, ReaderDown), ReaderDown)
            if what == "pcscd":
                await asyncio.to_thread(pcscd.start)
            else:
                await asyncio.to_thread(pcscd.wait_for_removal)
            await until(events, ReaderUp)
            async with in_field(holding.card, pcscd):
                await until(events, CardPresented)
                found = await pcsc.resolve(RESOLVE)
                assert isinstance(found, Resolved)
                assert found.fate == "applied"
                assert (await pcsc.change(REFUND)).outcome == "applied"
        assert purse(holding.card) == 152_000

    asyncio.run(run())


@pytest.mark.parametrize(("ins", "outcome"), [(0xDC, "not_applied"), (COMMIT, "unknown")])
def test_a_card_that_hangs_in_an_order_says_before_the_end_what_it_knows(
    pcscd: PrivatePcscd, ins: int, outcome: str
) -> None:
    async def run() -> None:
        pcsc, holding = office_reader(pcscd, session_ms=1_500), Holding(loaded(), ins)
        async with listening(pcsc) as events:
            assert await events.next() == ReaderUp()
            async with in_field(holding, pcscd):
                await until(events, CardPresented)
                done: Changed = await pcsc.change(DEBIT)
                assert (done.outcome, done.error_kind) == (outcome, "card_silent")
                await until(events, ReaderDown)
                still = await until(events, CardRefused)
                assert isinstance(still, CardRefused)
                assert "left alone" in still.text

    asyncio.run(run())


GRABBER = """
import sys
from smartcard import scard
_, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
protocols = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
result, card, _ = scard.SCardConnect(context, sys.argv[1], scard.SCARD_SHARE_EXCLUSIVE, protocols)
print(result, flush=True)
sys.stdin.read()
scard.SCardDisconnect(card, scard.SCARD_LEAVE_CARD)
"""


def test_another_program_that_grabs_the_card_is_named_and_nothing_is_taken(pcscd: PrivatePcscd) -> None:
    async def run() -> None:
        pcsc = office_reader(pcscd)
        async with listening(pcsc) as events, in_field(loaded(), pcscd):
            await until(events, CardPresented)
            grabber = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", GRABBER, READER),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env=pcscd.environment,
            )
            assert grabber.stdout is not None
            assert await grabber.stdout.readline() == b"0\n"
            grabbed = await pcsc.change(DEBIT)
            assert (grabbed.outcome, grabbed.error_kind) == ("not_applied", "sharing_violation")
            await grabber.communicate(b"")
            assert (await pcsc.change(DEBIT)).outcome == "applied"

    asyncio.run(run())


def test_two_readers_by_name_and_each_has_its_own_card(pcscd: PrivatePcscd) -> None:
    async def run() -> None:
        first, second = office_reader(pcscd), office_reader(pcscd, "Virtual PCD 00 01")
        async with listening(first) as left, listening(second) as right:
            assert await left.next() == ReaderUp()
            assert await right.next() == ReaderUp()
            card = loaded()
            async with in_field(card, pcscd, slot=1):
                assert isinstance(await right.next(), CardPresented)
                here, there = await asyncio.gather(first.change(DEBIT), second.change(DEBIT))
                assert (here.error_kind, there.outcome) == ("card_removed", "applied")

    asyncio.run(run())


def test_an_intent_of_another_station_is_none_of_ours(pcscd: PrivatePcscd) -> None:
    async def run() -> None:
        pcsc = office_reader(pcscd)
        async with listening(pcsc) as events, in_field(loaded(), pcscd):
            await until(events, CardPresented)
            stray = ResolveOrder(uid=UID, intent=PurseIntent(99, bytes(8), 1, 5), before=None)
            found = await pcsc.resolve(stray)
            assert isinstance(found, Resolved)
            assert found.fate == "not_applied"

    asyncio.run(run())
