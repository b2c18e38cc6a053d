"""A simulated card's file is in one reader at a time, whatever is written to it meanwhile."""

from __future__ import annotations

import fcntl
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sim.cards.held import HeldCard
from sim.cards.make import new_state
from sim.cards.state import CardFileError, load, save
from tests.cards.bench import DEADLINE_S, UID
from tests.cards.desk import Desk
from tests.cards.test_sim_card_command import forecourt


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "driver.card"
    save(new_state(UID), path)
    return path


def test_a_card_is_in_one_hand_and_changes_keep_it_there(path: Path) -> None:
    held = HeldCard(path)
    for _ in range(2):
        with pytest.raises(CardFileError, match=r"driver\.card is in another reader: end the program that holds it"):
            HeldCard(path)
        held.state.key_settings = 0x09
        held.store(held.state)
    held.close()
    held.close()
    again = HeldCard(path)
    assert again.state.key_settings == 0x09
    again.close()
    assert [file.name for file in path.parent.iterdir()] == ["driver.card"], "a lock leaves nothing behind"


def test_who_comes_in_the_midst_of_a_change_gets_no_old_card(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = HeldCard(path)
    really = fcntl.flock

    def meanwhile(descriptor: int, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", really)
        held.store(held.state)  # the file that was opened is the old one now, and nobody's
        really(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", meanwhile)
    with pytest.raises(CardFileError, match="is in another reader"):
        HeldCard(path)
    held.close()


def test_a_file_that_is_no_card_is_not_held(path: Path) -> None:
    path.write_text("{}")
    for _ in range(2):
        with pytest.raises(CardFileError, match="is no card"):
            HeldCard(path)
    path.unlink()
    with pytest.raises(CardFileError, match="cannot be read"):
        HeldCard(path)


def test_a_card_in_a_reader_is_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    desk = Desk(tmp_path, monkeypatch)
    words = [sys.executable, "-m", "forecourt", "sim", "card", str(path), "--vpcd", "1"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as holding:
        try:
            assert holding.stdout is not None
            assert "waits: no virtual reader listens" in holding.stdout.readline()
            code, said = forecourt(path, "--vpcd", "1")
            assert (code, "is in another reader: end the program" in said) == (1, True), said
            assert forecourt(path, "--show")[0] == 0, "it may be looked at"
            refused = desk.run("read", at=path)
            assert (refused.exit_code, "is in another reader" in refused.output) == (1, True)
            holding.send_signal(signal.SIGTERM)
            assert holding.wait(DEADLINE_S) == 0
        finally:
            holding.kill()
    assert "is in another reader" not in desk.run("read", at=path).output
    assert load(path).uid == UID
