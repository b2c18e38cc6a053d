"""`forecourt sim card` makes, shows and refuses cards; in a reader it is tested with the real pcscd."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from forecourt import main
from sim.cards.state import FREE, NEVER, CardState, MasterKey, Rights, load, save
from tests.cards.purse import KEYS, MAC_KEY, purse_state


def forecourt(*words: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["sim", "card", *map(str, words)])
    return result.exit_code, result.output


def test_a_new_card_is_as_delivered(tmp_path: Path) -> None:
    path = tmp_path / "a.card"
    assert forecourt(path, "--new", "--uid", "04A1B2C3D4E5F6", "--show") == (
        0,
        "card 04A1B2C3D4E5F6: DESFire EV2, master key 3DES version 0, settings 0F, 4864 bytes free\n",
    )
    assert load(path) == CardState(uid=bytes.fromhex("04A1B2C3D4E5F6"), master=MasterKey(kind="3des"))
    assert path.stat().st_mode & 0o077 == 0


def test_a_new_card_may_have_an_aes_key_or_a_uid_only(tmp_path: Path) -> None:
    assert forecourt(tmp_path / "a.card", "--new", "--master", "aes")[0] == 0
    assert load(tmp_path / "a.card").master == MasterKey()
    assert load(tmp_path / "a.card").uid[0] == 0x04
    code, said = forecourt(tmp_path / "u.card", "--new", "--uid-only", "--uid", "DEADBEEF", "--show")
    assert (code, said) == (0, "card DEADBEEF: nothing but this UID\n")


def test_a_card_is_shown_without_keys_and_data(tmp_path: Path) -> None:
    path = tmp_path / "purse.card"
    save(purse_state(mac=Rights(1, NEVER, FREE, 0)), path)
    _, said = forecourt(path, "--show")
    assert said.splitlines()[1:] == [
        "application F50402: settings 0F, 4 keys of versions 9 9 9 9",
        "  file 01: standard, 100 bytes, full; read 1, write 2, both 3, change 0",
        "  file 02: backup, 100 bytes, full; read 1, write 2, both 3, change 0",
        "  file 03: value, 500 of 0..1000, 0 may come back, full; read 1, write 2, both 3, change 0",
        "  file 04: records, cyclic, 0 of 3 of 16 bytes, full; read 1, write 2, both 3, change 0",
        "  file 05: records, linear, 0 of 3 of 16 bytes, full; read 1, write 2, both 3, change 0",
        "  file 0F: transaction_mac, 0 commits, mac; read 1, write never, both free, change 0",
    ]
    assert not any(key.hex() in said.lower() for key in (*KEYS, MAC_KEY))


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ((), 2, "--vpcd PORT, --show or --new"),
        (("--show",), 1, "--new makes one"),
        (("--show", "--uid", "04"), 2, "are for a --new card"),
        (("--new", "--uid", "04"), 1, "UID of a desfire card has 7 bytes"),
        (("--new", "--uid", "xyz"), 1, "'xyz' is no UID"),
        (("--new", "--uid-only", "--master", "aes"), 1, "leave --master out"),
        (("--new", "--vpcd", "here"), 1, "expected [HOST:]PORT"),
        (("--new", "--vpcd", "99999"), 1, "expected [HOST:]PORT"),
        (("--new", "--vpcd", "1", "--tear", "soon"), 1, "7:after"),
        (("--new", "--vpcd", "1", "--break", "melted"), 2, "'silent', 'slow'"),
    ],
)
def test_what_cannot_be_done_is_said(words: tuple[str, ...], code: int, says: str, tmp_path: Path) -> None:
    got, said = forecourt(tmp_path / "a.card", *words)
    assert (got, says in said) == (code, True), said
    assert "Traceback" not in said


def test_a_card_is_never_made_over_another(tmp_path: Path) -> None:
    path = tmp_path / "a.card"
    forecourt(path, "--new")
    before = path.read_bytes()
    code, said = forecourt(path, "--new")
    assert (code, "is there already" in said) == (1, True)
    assert path.read_bytes() == before
