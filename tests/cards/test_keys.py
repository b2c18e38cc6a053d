"""The key file is the station's alone, and a broken one says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from card_io.errors import KeyFileRefused, KeyMissing
from card_io.keys import FileKeyStore, KeyRing
from sim.cards.card import SimCard
from sim.cards.state import load, save
from tests.cards.bench import NUMBER, card, identify, seeded, write_key_file

GOOD = '{"format": 1, "read_keys": {"3": "000102030405060708090a0b0c0d0e0f"}}'


def test_a_key_file_proves_cards(tmp_path: Path) -> None:
    keys = FileKeyStore(write_key_file(tmp_path / "read.keys", GOOD))
    assert identify(card(), keys=keys).card_number == NUMBER
    assert "0102" not in repr(keys)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_key_file_that_others_can_read_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    path = write_key_file(tmp_path / "read.keys", GOOD, mode)
    with pytest.raises(KeyFileRefused, match=f"run: chmod 600 {path}"):
        FileKeyStore(path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"format": 3, "read_keys": {}}',
        '{"format": 1, "read_keys": {"x": "000102030405060708090a0b0c0d0e0f"}}',
        '{"format": 1, "read_keys": {"3": "5ec2e7"}}',
        '{"format": 1, "read_keys": {"3": "5ec2e7zz"}}',
        '{"format": 1, "read_keys": {"999": "000102030405060708090a0b0c0d0e0f"}}',
    ],
)
def test_a_broken_key_file_is_refused_without_its_content(tmp_path: Path, text: str) -> None:
    with pytest.raises(KeyFileRefused) as refusal:
        FileKeyStore(write_key_file(tmp_path / "read.keys", text))
    assert "5ec2e7" not in str(refusal.value)
    assert str(tmp_path) in str(refusal.value)


HEX = "000102030405060708090a0b0c0d0e0f"


def test_a_key_file_of_format_2_has_further_keys(tmp_path: Path) -> None:
    text = f'{{"format": 2, "keys": {{"1": {{"3": "{HEX}"}}, "2": {{"3": "{HEX}", "4": "{HEX}"}}, "5": {{}}}}}}'
    keys = FileKeyStore(write_key_file(tmp_path / "read.keys", text))
    assert identify(card(), keys=keys).card_number == NUMBER
    assert keys.card_key(2, 4, b"x").cmac(b"") == keys.card_key(2, 3, b"x").cmac(b"")
    with pytest.raises(KeyMissing, match="key 2 version 5, this station holds 3, 4"):
        keys.card_key(2, 5, b"x")
    with pytest.raises(KeyMissing, match="holds none"):
        keys.card_key(3, 3, b"x")
    again = KeyRing.from_handover(keys.handover())
    assert again.card_key(2, 4, b"x").cmac(b"") == keys.card_key(2, 4, b"x").cmac(b"")
    assert "0102" not in repr(keys)


@pytest.mark.parametrize("number", ["0", "3", "4", "15", "x"])
def test_a_station_is_given_no_key_of_headquarters(tmp_path: Path, number: str) -> None:
    text = f'{{"format": 2, "keys": {{"{number}": {{"3": "{HEX}"}}}}}}'
    with pytest.raises(KeyFileRefused, match="never holds"):
        FileKeyStore(write_key_file(tmp_path / "read.keys", text))


def test_a_key_file_of_format_1_has_read_keys_only(tmp_path: Path) -> None:
    text = f'{{"format": 1, "read_keys": {{}}, "keys": {{"2": {{"3": "{HEX}"}}}}}}'
    with pytest.raises(KeyFileRefused, match="more than it may"):
        FileKeyStore(write_key_file(tmp_path / "read.keys", text))


def test_a_key_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = write_key_file(tmp_path / "read.keys", "")
    path.write_bytes(b'{"format": 1, "read_keys": {"\xff": ""}}')
    with pytest.raises(KeyFileRefused, match="not the JSON"):
        FileKeyStore(path)


def test_a_missing_key_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(KeyFileRefused, match="cannot be opened"):
        FileKeyStore(tmp_path / "none.keys")


def test_keys_go_over_the_pipe_and_come_back(tmp_path: Path) -> None:
    keys = FileKeyStore(write_key_file(tmp_path / "read.keys", GOOD))
    assert identify(card(), keys=KeyRing.from_handover(keys.handover())).card_number == NUMBER


def test_a_simulated_card_lives_in_its_file(tmp_path: Path) -> None:
    path = tmp_path / "driver.card"
    save(card().state, path)
    assert path.stat().st_mode & 0o077 == 0
    assert identify(SimCard(load(path), seeded(9))).card_number == NUMBER


@pytest.mark.parametrize("length", [12, 25], ids=["one block", "two blocks"])
def test_a_master_is_set_up_once_and_nothing_is_kept_of_a_cards_own_key(length: int) -> None:
    ring = KeyRing({3: bytes(range(16))}, {2: {3: bytes(range(16, 32))}})
    asked = [ring.card_key(number, 3, bytes((uid,)) * length) for uid in range(20) for number in (1, 2, 1)]
    assert len({key.cmac(b"") for key in asked}) == 40, "another one of each card and number, and the same each time"
    assert set(ring._ready) == {(1, 3), (2, 3)}
    assert repr(ring) == "KeyRing(versions=[3], others={2: [3]})"
