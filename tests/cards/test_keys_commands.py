"""`forecourt keys ...`: the keys are made, shown by fingerprints, renewed, and handed to stations as far as needed."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import forecourt
from card_io.application import CardProfile
from card_io.errors import KeyFileRefused, KeyMissing
from card_io.facts import CardFacts
from card_io.identify import TapSession
from card_io.keys import FileKeyStore
from card_io.vault import Vault, open_vault
from sim.cards.card import SimCard
from sim.cards.state import load
from sync.hq.cards.folder import OfficeFolder
from tests.cards.bench import PROFILE, UID, seeded, write_key_file
from tests.cards.desk import CHEAP, PASSPHRASE, Desk
from tests.cards.office import run

NAMES = ("--issuer", "ACME", "--scheme", "FLT1")


def keys(*words: str | Path, passphrase: str = PASSPHRASE, typed: str = "") -> Result:
    result = CliRunner().invoke(
        forecourt.main, ["keys", *map(str, words)], input=typed, env={"FORECOURT_CARD_PASSPHRASE": passphrase}
    )
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(tmp_path, monkeypatch)


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is sealed here is quick to open."""
    monkeypatch.setattr(Vault.sealed, "__defaults__", (CHEAP,))


def test_an_office_is_made_with_keys_of_its_own_and_never_written_over(tmp_path: Path) -> None:
    office = tmp_path / "office"
    words = ("init", office, *NAMES, "--purse", "volume_ml", "--purse-max", "900")
    made = keys(*words, passphrase="", typed=f"{PASSPHRASE}\n" * 2)
    assert made.exit_code == 0, made.output
    assert "vault.json made: keys of version 1. Keep a copy of it" in made.output
    for file in ("vault.json", "cards.toml"):
        assert stat.S_IMODE((office / file).stat().st_mode) == 0o600
    sealed = (office / "vault.json").read_bytes()
    assert open_vault(sealed, PASSPHRASE).version == 1
    again = keys("init", office, *NAMES)
    assert again.exit_code == 1
    assert "is there already and was not touched: choose another folder" in again.output
    assert (office / "vault.json").read_bytes() == sealed


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--issuer", "TOO LONG NAME", "--scheme", "A"), "issuer is 1 to 8 ASCII letters and digits"),
        ((*NAMES, "--aid", "F5"), "AID is 3 bytes"),
        ((*NAMES, "--system", "a name of more than twenty"), "the system id has 1 to 20 bytes"),
    ],
)
def test_a_network_that_cannot_be_is_refused_before_anything_is_written(
    tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    result = keys("init", tmp_path / "office", *words)
    assert result.exit_code == 1
    assert said in result.output
    assert not (tmp_path / "office").exists()


def test_a_short_passphrase_is_refused(tmp_path: Path) -> None:
    result = keys("init", tmp_path / "office", *NAMES, passphrase="short")
    assert (result.exit_code, "at least 12 characters" in result.output) == (1, True)


def test_keys_are_shown_by_fingerprints_only(desk: Desk) -> None:
    shown = keys("show", "--office", desk.office)
    assert shown.exit_code == 0
    lines = shown.output.splitlines()
    assert lines[1].startswith("key  1  read (stations)               version 1: ")
    assert len(lines) == 13
    assert lines[-1].endswith(f"public: {desk.vault.public_key.hex()}")
    for versions in desk.vault.for_station(1, 2, 5, 6, 7, 8, 9).values():
        for master in versions.values():
            assert master not in shown.output
    prints = [line.rpartition(": ")[2] for line in lines[:-1]]
    assert len(set(prints)) == len(prints)
    assert keys("show", "--office", desk.office).output == shown.output, "two people can compare them"


def test_a_wrong_passphrase_opens_nothing(desk: Desk) -> None:
    result = keys("show", "--office", desk.office, passphrase="not the passphrase")
    assert result.exit_code == 1
    assert "the passphrase is wrong, or the file of card keys was changed: give the right passphrase" in result.output


def tap(desk: Desk, file: Path, read_key_number: int = 1) -> CardFacts:
    store = FileKeyStore(file)
    station = CardProfile(PROFILE.aid, PROFILE.system_id, read_key_number, issuer_keys=store.issuer_keys)
    return run(TapSession(station, store, seeded(4)), SimCard(load(desk.card), seeded(1)))


def test_a_station_reads_cards_with_what_it_was_given(desk: Desk) -> None:
    desk.issued()
    station = desk.folder / "station"
    station.mkdir()
    made = keys("export-station", station, "--office", desk.office)
    assert made.exit_code == 0, made.output
    file = station / "keys" / "cards.json"
    assert made.output.startswith(f"{file}: read keys of version 1, public key ")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    facts = tap(desk, file)
    assert facts.uid == UID
    assert facts.entitlement is not None, "headquarters' public key came along"
    assert facts.purse is None, "no debit key, no purse"
    refused = keys("export-station", station, "--office", desk.office)
    assert (refused.exit_code, "add --replace to write over it" in refused.output) == (1, True)
    assert keys("export-station", station, "--office", desk.office, "--replace", "--with-debit").exit_code == 0
    assert tap(desk, file).purse is not None
    assert '"3"' not in file.read_text(), "nobody credits at a station"


def test_a_guest_gets_its_own_slot_and_nothing_else(desk: Desk) -> None:
    desk.issued()
    file = desk.folder / "guest.json"
    assert keys("export-station", file, "--office", desk.office, "--guest", "6").output.startswith(
        f"{file}: key 6, for a guest, of version 1"
    )
    with pytest.raises(KeyMissing):
        tap(desk, file)
    store = FileKeyStore(file)
    with pytest.raises(KeyMissing):
        store.card_key(2, 1, b"x")
    with pytest.raises(KeyMissing, match="the card uses key 7 version 1, this station holds none"):
        tap(desk, file, read_key_number=7)
    facts = tap(desk, file, read_key_number=6)
    assert facts.entitlement is not None
    assert facts.purse is None
    assert keys("export-station", file, "--office", desk.office, "--guest", "6", "--with-debit").exit_code == 2
    assert keys("export-station", file, "--office", desk.office, "--guest", "2").exit_code == 2


def test_keys_are_renewed_side_by_side(desk: Desk) -> None:
    desk.issued()
    old, new = desk.folder / "old.json", desk.folder / "new.json"
    assert keys("export-station", old, "--office", desk.office).exit_code == 0
    made = keys("rotate", "--office", desk.office)
    assert made.exit_code == 0
    assert made.output.startswith("keys of version 2 made. First give them to every station")
    renewed = desk.newest()
    assert renewed.version == 2
    (desk.office / "vault.json").write_bytes(renewed.sealed(PASSPHRASE, seeded(8), CHEAP))
    assert keys("export-station", new, "--office", desk.office).output.startswith(f"{new}: read keys of version 1, 2,")
    assert tap(desk, new).key_version == 1, "cards that were not renewed yet are read as before"
    desk.ok("rotate-keys")
    assert tap(desk, new).key_version == 2
    with pytest.raises(KeyMissing, match="version 2, this station holds 1"):
        tap(desk, old)
    shown = keys("show", "--office", desk.office).output
    assert "key  0  master of the application     version 1: " in shown
    assert shown.count("version 2: ") == 10


NEW = "five other words altogether now"


def changed(desk: Desk, new: str = NEW, *, old: str = PASSPHRASE, typed: str = "") -> Result:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FORECOURT_CARD_NEW_PASSPHRASE", new)
        return keys("passphrase", "--office", desk.office, passphrase=old, typed=typed)


@pytest.mark.usefixtures("cheap")
def test_the_vault_gets_a_new_passphrase_and_keeps_its_keys(desk: Desk) -> None:
    vault = desk.office / "vault.json"
    done = changed(desk)
    assert (done.exit_code, "has a new passphrase. Put copies of it" in done.output) == (0, True), done.output
    assert stat.S_IMODE(vault.stat().st_mode) == 0o600
    assert open_vault(vault.read_bytes(), NEW).fingerprints() == desk.vault.fingerprints()
    assert open_vault(vault.read_bytes(), NEW).public_key == desk.vault.public_key
    refused = keys("show", "--office", desk.office)
    assert (refused.exit_code, "the passphrase is wrong" in refused.output) == (1, True)
    assert sorted(path.name for path in desk.office.iterdir()) == ["cards.toml", "log.jsonl", "vault.json"]
    assert not {PASSPHRASE, NEW} & set(done.output.split("\n"))


@pytest.mark.usefixtures("cheap")
def test_a_passphrase_is_changed_by_files_or_by_typing_it_twice(desk: Desk) -> None:
    old, new = write_key_file(desk.folder / "old", PASSPHRASE), write_key_file(desk.folder / "new", NEW)
    words = ("passphrase", "--office", desk.office)
    assert keys(*words, "--passphrase-file", old, "--new-passphrase-file", new).exit_code == 0
    differing = keys(*words, passphrase="", typed=f"{NEW}\n{PASSPHRASE}\nanother one\n")
    assert differing.exit_code == 1, "it is asked for again until both are the same"
    assert "FORECOURT_CARD_NEW_PASSPHRASE" in differing.output
    typed = keys(*words, passphrase="", typed=f"{NEW}\n{PASSPHRASE}\n{PASSPHRASE}\n")
    assert typed.exit_code == 0, typed.output
    assert desk.newest().fingerprints() == desk.vault.fingerprints()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("wrong horse battery staple", NEW, "was not changed: the passphrase is wrong, or the file of card keys was"),
        (PASSPHRASE, "too short", "a passphrase has at least 12 characters: choose a longer one"),
        (PASSPHRASE, PASSPHRASE, "was not changed: the new passphrase is the old one"),
    ],
)
def test_a_passphrase_that_is_not_changed_leaves_the_vault_alone(desk: Desk, old: str, new: str, said: str) -> None:
    before = (desk.office / "vault.json").read_bytes()
    done = changed(desk, new, old=old)
    assert (done.exit_code, said in done.output) == (1, True), done.output
    assert (desk.office / "vault.json").read_bytes() == before


@pytest.mark.usefixtures("cheap")
def test_a_passphrase_whose_writing_fails_leaves_the_old_vault(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    vault = desk.office / "vault.json"
    before = vault.read_bytes()

    def fails(number: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fails)
        done = changed(desk)
    assert (done.exit_code, "was not changed (No space left on device): make room" in done.output) == (1, True)
    assert vault.read_bytes() == before
    assert changed(desk).exit_code == 0, "what the first try left is in nobody's way"


@pytest.mark.parametrize("command", ["passphrase", "rotate"])
def test_the_vault_is_changed_by_one_command_at_a_time(desk: Desk, command: str) -> None:
    before = (desk.office / "vault.json").read_bytes()
    with contextlib.closing(OfficeFolder(desk.office).log()):
        done = keys(command, "--office", desk.office)
    assert (done.exit_code, "another command works in" in done.output) == (1, True), done.output
    assert (desk.office / "vault.json").read_bytes() == before


@pytest.mark.parametrize("key", ["00", "zz" * 32, "00" * 33])
def test_a_station_refuses_a_broken_public_key(tmp_path: Path, key: str) -> None:
    file = write_key_file(tmp_path / "cards.json", f'{{"format": 2, "issuer_keys": ["{key}"]}}')
    with pytest.raises(KeyFileRefused, match="an issuer key that is not 64 hex digits"):
        FileKeyStore(file)
    old = write_key_file(tmp_path / "old.json", f'{{"format": 1, "issuer_keys": ["{"00" * 32}"]}}')
    with pytest.raises(KeyFileRefused, match="format 1"):
        FileKeyStore(old)
