"""The card office's commands through the real pcscd, with a simulated card in its virtual reader."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from card_io import errors
from card_io.inspect_card import ReadSession
from card_io.pcsc_card import PcscCard
from sim.cards.field import FieldCard, SilentCard
from tests.cards.bench import DEADLINE_S, seeded, stay_in_reader
from tests.cards.desk import MASKED, NUMBER, PASSPHRASE, Desk
from tests.cards.office import OFFICE, STATION_KEYS, blank, issued
from tests.cards.pcscd import READER, PrivatePcscd

ROOT = Path(__file__).parents[2]
WAIT_MS = 60_000
"""The card is there, or comes at once."""


@contextlib.contextmanager
def in_reader(sim: FieldCard, pcscd: PrivatePcscd) -> Iterator[None]:
    """The card in the virtual reader, from a thread of its own: the commands block."""
    there, gone = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def hold() -> None:
        inserted = asyncio.Event()
        card = asyncio.ensure_future(stay_in_reader(sim, pcscd.port, inserted))
        await inserted.wait()
        there.set()
        await gone.wait()
        card.cancel()
        await asyncio.gather(card, return_exceptions=True)

    thread = threading.Thread(target=lambda: loop.run_until_complete(hold()))
    thread.start()
    try:
        assert there.wait(DEADLINE_S)
        pcscd.wait_for_card()
        yield
    finally:
        loop.call_soon_threadsafe(gone.set)
        thread.join()
        loop.close()


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    folder = tmp_path / "desk"
    folder.mkdir()
    return Desk(folder, monkeypatch)


def card(desk: Desk, environment: dict[str, str], *words: str | Path) -> subprocess.CompletedProcess[str]:
    """`forecourt card WORDS` as a process of its own, as an operator starts it."""
    return subprocess.run(
        [sys.executable, str(ROOT / "forecourt.py"), "card", *map(str, words), "--office", str(desk.office)],
        env={**environment, "FORECOURT_CARD_PASSPHRASE": PASSPHRASE, "PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def test_a_card_is_issued_read_and_verified_in_a_reader(pcscd: PrivatePcscd, desk: Desk) -> None:
    with in_reader(blank(), pcscd):
        made = card(
            desk, pcscd.environment, "issue", "--card-number", NUMBER, "--entitlement", desk.form, "--reader", READER
        )
        assert (made.returncode, made.stderr) == (0, "")
        assert made.stdout.startswith(f"card {MASKED}, UID ..D4E5F6: created the application")
        read = card(desk, pcscd.environment, "read", "--reader", READER)
        assert "purse         0 minor units, 0 commits" in read.stdout.splitlines()
        verified = card(desk, pcscd.environment, "verify", "--reader", READER)
        assert verified.stdout == f"card {MASKED}, UID ..D4E5F6: as it should be, keys of version 1\n"


def test_a_card_that_hangs_the_reader_is_left_and_the_next_one_is_read(pcscd: PrivatePcscd) -> None:
    slot = PcscCard(READER, wait_ms=WAIT_MS, answer_ms=1_500, environment=pcscd.environment)
    try:
        with in_reader(SilentCard(), pcscd):
            slot.present()
            began = time.monotonic()
            with pytest.raises(errors.CardSilent, match="did not answer within 1500 ms"):
                slot.run(ReadSession(OFFICE, STATION_KEYS, seeded(1)))
            assert time.monotonic() - began < DEADLINE_S
        slot.removed()
        good = issued()
        with in_reader(good, pcscd):
            slot.present()
            assert slot.run(ReadSession(OFFICE, STATION_KEYS, seeded(1))).facts.card_number == NUMBER
            impatient = PcscCard(READER, wait_ms=0, environment=pcscd.environment)
            with contextlib.closing(impatient), pytest.raises(errors.NoCard, match="the card is still on the reader"):
                impatient.removed()
    finally:
        slot.close()


def test_a_card_that_another_program_holds_is_said(pcscd: PrivatePcscd) -> None:
    first, second = (PcscCard(READER, wait_ms=WAIT_MS, environment=pcscd.environment) for _ in range(2))
    with contextlib.closing(first), contextlib.closing(second), in_reader(blank(), pcscd):
        first.present()
        with pytest.raises(errors.SharingViolation, match="another program holds the card"):
            second.present()


def test_a_card_that_is_taken_away_ends_its_session(pcscd: PrivatePcscd) -> None:
    slot = PcscCard(READER, wait_ms=WAIT_MS, environment=pcscd.environment)
    with contextlib.closing(slot):
        with in_reader(issued(), pcscd):
            slot.present()
        with pytest.raises(errors.CardRemoved):
            slot.run(ReadSession(OFFICE, STATION_KEYS, seeded(1)))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--reader", "no such"), "no reader fits the name 'no such'; there are: Virtual PCD 00 00"),
        (("--reader", READER, "--wait", "0"), "no card was put on the reader: put the next card on the reader"),
        (("--reader", "["), "'[' is no pattern for a reader's name"),
    ],
)
def test_no_reader_and_no_card_are_sentences(
    pcscd: PrivatePcscd, desk: Desk, words: tuple[str, ...], said: str
) -> None:
    result = card(desk, pcscd.environment, "read", *words)
    assert result.returncode == 1
    assert said in result.stderr


def test_without_the_service_it_says_how_to_start_it(desk: Desk) -> None:
    nobody = {**os.environ, "PCSCLITE_CSOCK_NAME": str(desk.folder / "none")}
    result = card(desk, nobody, "read", "--reader", READER)
    assert result.returncode == 1
    assert "start the PC/SC service (systemctl start pcscd)" in result.stderr


def test_without_pyscard_everything_else_works(desk: Desk) -> None:
    hidden = desk.folder / "hidden"
    (hidden / "smartcard").mkdir(parents=True)
    (hidden / "smartcard" / "__init__.py").write_text("raise ImportError('none here')")
    environment = {**os.environ, "PYTHONPATH": str(hidden)}
    words = ("issue", "--card-number", NUMBER, "--entitlement", desk.form)
    simulated = card(desk, environment, *words, "--simulated", desk.card)
    assert (simulated.returncode, simulated.stderr) == (0, "")
    result = card(desk, environment, "read", "--reader", READER)
    assert result.returncode == 1
    assert result.stderr == f"pyscard is not installed: {errors.ReaderExtraMissing.todo}\n"


def test_a_process_that_dies_is_a_reader_that_is_gone(pcscd: PrivatePcscd) -> None:
    slot = PcscCard(READER, wait_ms=0, environment={**pcscd.environment, "PYTHONHOME": "/nowhere"})
    with contextlib.closing(slot), pytest.raises(errors.ReaderGone, match="the reader's process ended"):
        slot.present()
