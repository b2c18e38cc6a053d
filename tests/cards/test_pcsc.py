"""The PC/SC reader through the real pcscd, with simulated cards in its virtual reader."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from card_io.keys import KeyRing
from card_io.pcsc import PcscReader
from card_io.reader import CardPresented, CardRefused, CardRemoved, ReaderDown, ReaderUp
from sim.cards.field import FieldCard, SilentCard
from sim.cards.make import make_uid_only_card
from tests.cards.bench import DEADLINE_S, KEYS, NUMBER, PROFILE, UID, card, listening, seeded, sleep_ms, stay_in_reader
from tests.cards.pcscd import READER, PrivatePcscd

OTHER_NUMBER, OTHER_UID = "7009999999999999", bytes.fromhex("0499887766AABB")


def reader(
    pcscd: PrivatePcscd, *, keys: KeyRing = KEYS, pattern: str = READER, session_ms: int = 4000, silence_ms: int = 8000
) -> PcscReader:
    return PcscReader(
        pattern,
        profile=PROFILE,
        keys=keys,
        sleep=sleep_ms,
        environment=pcscd.environment,
        session_ms=session_ms,
        silence_ms=silence_ms,
    )


@asynccontextmanager
async def in_field(sim: FieldCard, pcscd: PrivatePcscd, slot: int = 0) -> AsyncIterator[None]:
    """The card in the virtual reader, for as long as the block runs."""
    inserted = asyncio.Event()
    task = asyncio.create_task(stay_in_reader(sim, pcscd.port + slot, inserted))
    try:
        async with asyncio.timeout(DEADLINE_S):
            await inserted.wait()
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_cards_come_are_proven_and_go(pcscd: PrivatePcscd) -> None:
    async def run() -> None:
        async with listening(reader(pcscd)) as events:
            assert await events.next() == ReaderUp()
            async with in_field(card(), pcscd):
                first = await events.next()
                assert isinstance(first, CardPresented)
                assert (first.facts.card_number, first.facts.uid) == (NUMBER, UID)
                assert first.facts.assurance == "proven"
            assert await events.next() == CardRemoved()
            async with in_field(card(OTHER_NUMBER, OTHER_UID), pcscd):
                second = await events.next()
                assert isinstance(second, CardPresented)
                assert second.facts.card_number == OTHER_NUMBER
            assert await events.next() == CardRemoved()
            async with in_field(make_uid_only_card(b"\xde\xad\xbe\xef", seeded()), pcscd):
                third = await events.next()
                assert isinstance(third, CardPresented)
                assert (third.facts.uid, third.facts.assurance) == (b"\xde\xad\xbe\xef", "identified")
            assert await events.next() == CardRemoved()

    asyncio.run(run())


def test_a_forged_card_is_refused(pcscd: PrivatePcscd) -> None:
    async def run() -> None:
        async with listening(reader(pcscd, keys=KeyRing({3: bytes(16)}))) as events:
            assert await events.next() == ReaderUp()
            async with in_field(card(), pcscd):
                refused = await events.next()
                assert isinstance(refused, CardRefused)
                assert refused.error_kind == "proof_failed"
            assert await events.next() == CardRemoved()

    asyncio.run(run())


def test_pcscd_may_crash_and_come_back(pcscd: PrivatePcscd) -> None:
    async def run() -> None:
        async with listening(reader(pcscd)) as events:
            assert await events.next() == ReaderUp()
            async with in_field(card(), pcscd):
                assert isinstance(await events.next(), CardPresented)
                await asyncio.to_thread(pcscd.kill)
                down = await events.next()
                # The driver may be seen to go before the daemon, and a dying daemon may once say that it denies access.
                while not (isinstance(down, ReaderDown) and "pcscd" in down.text):
                    down = await events.next()
            await asyncio.to_thread(pcscd.start)
            while not isinstance(again := await events.next(), ReaderUp):
                assert isinstance(again, ReaderDown)
            async with in_field(card(), pcscd):
                assert isinstance(await events.next(), CardPresented)
            assert await events.next() == CardRemoved()

    asyncio.run(run())


def test_a_silent_card_is_left_alone_and_the_next_card_works(pcscd: PrivatePcscd) -> None:
    async def run() -> None:
        async with listening(reader(pcscd, session_ms=1_500)) as events:
            assert await events.next() == ReaderUp()
            async with in_field(SilentCard(), pcscd):
                refused = await events.next()
                assert isinstance(refused, CardRefused)
                assert refused.error_kind == "card_silent"
                down = await events.next()
                assert isinstance(down, ReaderDown)
                assert "take the card away" in down.text
                assert await events.next() == ReaderUp()
                still = await events.next()
                assert isinstance(still, CardRefused)
                assert "left alone" in still.text
            assert await events.next() == CardRemoved()
            await asyncio.to_thread(pcscd.wait_for_removal)
            async with in_field(card(), pcscd):
                assert isinstance(await events.next(), CardPresented)
            assert await events.next() == CardRemoved()

    asyncio.run(run())


def test_a_hung_child_is_killed_and_started_again(pcscd: PrivatePcscd) -> None:
    async def run() -> None:
        pcsc = reader(pcscd, silence_ms=2500)
        async with listening(pcsc) as events:
            assert await events.next() == ReaderUp()
            hung = pcsc.child_pid
            assert hung is not None
            os.kill(hung, signal.SIGSTOP)
            down = await events.next()
            assert isinstance(down, ReaderDown)
            assert "silent for 2500 ms" in down.text
            assert await events.next() == ReaderUp()
            assert pcsc.child_pid != hung
            async with in_field(card(), pcscd):
                assert isinstance(await events.next(), CardPresented)

    asyncio.run(run())


def test_a_reader_that_is_closed_while_its_child_is_started_ends() -> None:
    async def run() -> None:
        pcsc = PcscReader(READER, profile=PROFILE, keys=KEYS, sleep=sleep_ms)
        events = pcsc.events()
        first = asyncio.ensure_future(anext(events, None))
        for _ in range(2):  # the events begin, and then their task
            await asyncio.sleep(0)
        before = pcsc.child_pid
        await pcsc.close()
        async with asyncio.timeout(DEADLINE_S):
            assert await first is None
        child = pcsc.child_pid
        assert before is None
        assert child is not None
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)

    asyncio.run(run())


@pytest.mark.parametrize(("pattern", "says"), [("No such thing", "no reader fits"), ("Virtual PCD", "2 readers fit")])
def test_a_name_that_fits_no_reader_or_two_is_said_with_the_names(pcscd: PrivatePcscd, pattern: str, says: str) -> None:
    async def run() -> None:
        async with listening(reader(pcscd, pattern=pattern)) as events:
            down = await events.next()
            assert isinstance(down, ReaderDown)
            assert says in down.text
            assert READER in down.text

    asyncio.run(run())


def test_the_child_ends_with_its_stdin_and_its_keys_are_in_no_argument(pcscd: PrivatePcscd) -> None:
    async def run() -> None:
        pcsc = reader(pcscd)
        async with listening(pcsc) as events:
            assert await events.next() == ReaderUp()
            child = pcsc.child_pid
            assert child is not None
            assert bytes(range(16)).hex().encode() not in _shown(child).lower()
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)

    asyncio.run(run())


def _shown(pid: int) -> bytes:
    """What any program of the same user can see of a process: its arguments and its environment."""
    process = Path(f"/proc/{pid}")
    return (process / "cmdline").read_bytes() + (process / "environ").read_bytes()


def test_pyscard_missing_says_which_extra_to_install(pcscd: PrivatePcscd, tmp_path: Path) -> None:
    (tmp_path / "smartcard").mkdir()
    (tmp_path / "smartcard" / "__init__.py").write_text("raise ImportError('none here')")
    environment = {**pcscd.environment, "PYTHONPATH": str(tmp_path)}

    async def run() -> None:
        pcsc = PcscReader(READER, profile=PROFILE, keys=KEYS, sleep=sleep_ms, environment=environment)
        async with listening(pcsc) as events:
            down = await events.next()
            assert isinstance(down, ReaderDown)
            assert "pip install 'forecourt[pcsc]' (needs swig, libpcsclite-dev, gcc)" in down.text

    asyncio.run(run())


def test_a_foreign_client_sees_the_card(pcscd: PrivatePcscd) -> None:
    async def run() -> None:
        async with listening(reader(pcscd)) as events:
            assert await events.next() == ReaderUp()
            async with in_field(card(), pcscd):
                assert isinstance(await events.next(), CardPresented)
                tool = await asyncio.create_subprocess_exec(
                    *("opensc-tool", "--reader", READER, "-a", "-s", "FFCA000000"),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    env=pcscd.environment,
                )
                async with asyncio.timeout(DEADLINE_S):
                    output = (await tool.communicate())[0].decode()
        assert "3b:81:80:01:80:80" in output.lower()
        assert re.search(r"04 A1 B2 C3 D4 E5 F6", output)

    asyncio.run(run())


def test_the_station_does_not_load_pyscard() -> None:
    code = "import sys, card_io.pcsc, card_io.tcp; sys.exit('smartcard' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
