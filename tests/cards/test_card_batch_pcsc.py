"""Batches of the card office through the real pcscd: cards are swapped in its reader, and the office is killed."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sim.cards.card import SimCard
from sim.cards.field import FieldCard
from sim.cards.make import new_state
from tests.cards.bench import DEADLINE_S, seeded
from tests.cards.desk import CHEAP, MASKED, NUMBER, OTHER, PASSPHRASE, Desk
from tests.cards.pcscd import READER, PrivatePcscd
from tests.cards.test_card_commands_pcsc import ROOT, in_reader

FIRST, SECOND = bytes.fromhex("04000000000A01"), bytes.fromhex("04000000000A02")
LATE_FRAME = 60
"""By then the application and some of its files are on a card that is issued, and not all of its keys."""


class Pausing(FieldCard):
    """A card whose frame `at` takes until `go` is set; `came`: that frame is here."""

    latency_ms = 0

    def __init__(self, card: SimCard, at: int) -> None:
        self._card, self._left = card, at
        self.came, self.go = threading.Event(), threading.Event()

    @property
    def atr(self) -> bytes:
        return self._card.atr

    def reset(self) -> None:
        self._card.reset()

    def transmit(self, frame: bytes) -> bytes | None:
        self._left -= 1
        if self._left == 0:
            self.came.set()
            assert self.go.wait(DEADLINE_S)
        return self._card.transmit(frame)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    folder = tmp_path / "desk"
    folder.mkdir()
    return Desk(folder, monkeypatch)


def begun(desk: Desk, pcscd: PrivatePcscd, *words: str | Path) -> subprocess.Popen[str]:
    """`forecourt card WORDS` at the reader, as an operator starts it."""
    place = ("--office", str(desk.office), "--reader", READER)
    return subprocess.Popen(
        [sys.executable, str(ROOT / "forecourt.py"), "card", *map(str, words), *place],
        env={**pcscd.environment, "FORECOURT_CARD_PASSPHRASE": PASSPHRASE, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def rest_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    said = process.stdout.read()  # not communicate(), which knows nothing of lines that are in the buffer already
    process.wait(DEADLINE_S)
    return said


def test_a_batch_whose_office_was_killed_goes_on_and_is_renewed_later(pcscd: PrivatePcscd, desk: Desk) -> None:
    batch = desk.folder / "fleet.csv"
    batch.write_text(f"card_number,entitlement\n{NUMBER},fleet.toml\n{OTHER},fleet.toml\n")
    first, second = (SimCard(new_state(uid), seeded(1)) for uid in (FIRST, SECOND))
    pausing = Pausing(second, LATE_FRAME)

    with begun(desk, pcscd, "issue", "--batch", batch) as office:
        try:
            with in_reader(first, pcscd):
                assert line_of(office) == f"line 2, {MASKED}: done, card ..000A01 (1 of 2)\n"
            pcscd.wait_for_removal()
            with in_reader(pausing, pcscd):
                assert pausing.came.wait(DEADLINE_S)
                office.kill()
                pausing.go.set()
        finally:
            office.kill()
    assert second.state.applications, "it is half made"
    assert desk.register().issued == {NUMBER}

    pcscd.wait_for_removal()
    with begun(desk, pcscd, "issue", "--batch", batch) as office, in_reader(second, pcscd):
        said = rest_of(office).splitlines()
        assert said == [
            "1 of 2 cards are done already",
            "line 3, 700123******0131: done, card ..000A02 (2 of 2)",
            "1 cards were made now",
        ]
        with begun(desk, pcscd, "verify") as verify:
            assert rest_of(verify) == "card 700123******0131, UID ..000A02: as it should be, keys of version 1\n"
    assert desk.register().cards == {NUMBER: FIRST, OTHER: SECOND}

    renewed = desk.vault.with_version(2, seeded(9))
    (desk.office / "vault.json").write_bytes(renewed.sealed(PASSPHRASE, seeded(8), CHEAP))
    pcscd.wait_for_removal()
    with begun(desk, pcscd, "rotate-keys", "--all") as office:
        for sim, masked, count in ((second, "700123******0131", 1), (first, MASKED, 2)):
            with in_reader(sim, pcscd):
                assert line_of(office).startswith(f"{masked}: keys of version 2, changed keys 0, 1,")
                assert sim.state.applications[0].keys[0].version == 2
            pcscd.wait_for_removal()
            assert list(desk.register().key_versions.values()).count(2) == count
        assert rest_of(office) == "2 cards were renewed now\n"
