"""A new station's folder: secrets for their owner only, nothing written over, and a station that can be read."""

import os
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from card_io.keys import FileKeyStore
from controller.config import load
from controller.install import CONFIG_FILE, PUBLIC_KEY, TILLS, FolderInUse, install, template
from controller.keys import (
    CARD_KEYS,
    LIST_KEY,
    STATION_KEY,
    KeyFileError,
    TillTokens,
    list_key,
    read_hex,
    read_secret,
    station_key,
    write_secret,
)
from forecourt import main
from sim.chance import Chance

SECRETS = (STATION_KEY, LIST_KEY, CARD_KEYS, *(f"{till}.token" for till in TILLS))


def set_up(folder: Path, seed: int = 1, card_key: bytes | None = None) -> None:
    chance = Chance(seed, "install")
    install(folder, template(simulated=True), chance.random_bytes, tills=TILLS, card_key=card_key)


def test_a_new_folder_is_a_whole_station(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "station"
    set_up(folder)
    config = load(folder / CONFIG_FILE)
    assert len(list_key(config.keys)) == 32
    public = station_key(config.keys).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    assert (config.keys / PUBLIC_KEY).read_text() == public.hex() + "\n"
    FileKeyStore(config.keys / CARD_KEYS)
    tokens = {till.id: read_secret(config.folder / till.token_file) for till in config.file.tills}
    assert set(tokens) == set(TILLS)
    assert len(set(tokens.values())) == len(TILLS)
    assert [till.id for till in config.file.tills if till.manager] == ["manager"]


def test_secrets_are_for_their_owner_only_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        set_up(tmp_path)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    for name in SECRETS:
        assert stat.S_IMODE((tmp_path / "keys" / name).stat().st_mode) == 0o600, name


def test_no_secret_stands_in_the_configuration_or_the_public_key(tmp_path: Path) -> None:
    set_up(tmp_path)
    plain = (tmp_path / CONFIG_FILE).read_text() + (tmp_path / "keys" / PUBLIC_KEY).read_text()
    for name in SECRETS:
        assert read_secret(tmp_path / "keys" / name) not in plain


def test_no_two_stations_have_the_same_secrets(tmp_path: Path) -> None:
    set_up(tmp_path / "a", 1)
    set_up(tmp_path / "b", 2)
    for name in SECRETS:
        assert read_secret(tmp_path / "a" / "keys" / name) != read_secret(tmp_path / "b" / "keys" / name)


def test_a_networks_own_card_key_is_taken(tmp_path: Path) -> None:
    set_up(tmp_path, card_key=bytes(range(16)))
    assert bytes(range(16)).hex() in read_secret(tmp_path / "keys" / CARD_KEYS)


def test_a_networks_list_key_makes_one_list_serve_two_stations(tmp_path: Path) -> None:
    made = CliRunner().invoke(main, ["whitelist", "keygen", str(tmp_path / "hq")])
    assert made.exit_code == 0, made.output
    network = tmp_path / "hq" / LIST_KEY
    for name in ("one", "two"):
        result = CliRunner().invoke(main, ["station", "init", str(tmp_path / name), "--list-key", str(network)])
        assert result.exit_code == 0, result.output
    assert list_key(tmp_path / "one" / "keys") == list_key(tmp_path / "two" / "keys") == list_key(tmp_path / "hq")
    assert stat.S_IMODE((tmp_path / "one" / "keys" / LIST_KEY).stat().st_mode) == 0o600


def test_a_list_key_that_is_none_makes_no_station(tmp_path: Path) -> None:
    write_secret(tmp_path / "list.key", "00ff")
    words = ["station", "init", str(tmp_path / "one"), "--list-key", str(tmp_path / "list.key")]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 1
    assert "holds 2 bytes, expected 32" in result.output
    assert not (tmp_path / "one").exists()


@pytest.mark.parametrize("name", [CONFIG_FILE, *(f"keys/{name}" for name in (*SECRETS, PUBLIC_KEY))])
def test_nothing_is_written_over_and_nothing_is_added_beside_it(tmp_path: Path, name: str) -> None:
    there = tmp_path / name
    there.parent.mkdir(exist_ok=True)
    there.write_text("mine")
    with pytest.raises(FolderInUse, match="holds a station already"):
        set_up(tmp_path)
    files = [entry for entry in tmp_path.rglob("*") if entry.is_file()]
    assert files == [there]
    assert there.read_text() == "mine"


def test_a_second_installation_leaves_the_first_as_it_was(tmp_path: Path) -> None:
    set_up(tmp_path, 1)
    before = {entry: entry.read_bytes() for entry in tmp_path.rglob("*") if entry.is_file()}
    with pytest.raises(FolderInUse):
        set_up(tmp_path, 2)
    assert {entry: entry.read_bytes() for entry in tmp_path.rglob("*") if entry.is_file()} == before


def test_a_secret_is_never_written_over(tmp_path: Path) -> None:
    write_secret(tmp_path / "a.key", "first")
    with pytest.raises(FileExistsError):
        write_secret(tmp_path / "a.key", "second")
    assert read_secret(tmp_path / "a.key") == "first"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o610, 0o644, 0o777])
def test_a_secret_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "a.key"
    write_secret(path, "00")
    path.chmod(mode)
    with pytest.raises(KeyFileError, match=f"can be read by others than its owner: chmod 600 {path}"):
        read_secret(path)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_secret_of_its_owner_is_read(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "a.key"
    write_secret(path, "00")
    path.chmod(mode)
    assert read_secret(path) == "00"


def test_a_missing_secret_is_named_with_the_way_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"station\.key cannot be read .*forecourt station init DIR"):
        station_key(tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"\xff\xfe\x00", "holds no key"),
        (b"not hex", "holds no key: expected 64 hex digits"),
        (b"00" * 31, "holds 31 bytes, expected 32"),
    ],
)
def test_a_damaged_secret_is_said_in_a_sentence(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "list.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match=said) as caught:
        read_hex(path, 32)
    assert str(path) in str(caught.value)


def test_a_till_is_known_by_its_token_and_by_nothing_else() -> None:
    tokens = TillTokens({"till-1": "a" * 48, "till-2": "b" * 48})
    assert tokens.till_of("a" * 48) == "till-1"
    assert tokens.till_of("b" * 48) == "till-2"
    for stranger in ("", "a", "a" * 47, "a" * 49, "A" * 48, "till-1", "ığü"):
        assert tokens.till_of(stranger) is None
    assert "a" * 48 not in repr(vars(tokens))
