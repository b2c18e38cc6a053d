"""`forecourt hq pay-in`, `allot`, `accounts` and `qr`: alone with the database, and beside a running headquarters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click.testing
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller.deciding.shown import verified_by
from controller.domain.codes import CodeForged, read_code
from controller.domain.tokens import TokenKind, fold_plate, token_key
from controller.keys import write_secret
from sync.hq.commands import hq as commands
from sync.hq.prepaid import Prepaid
from sync.hq.store import Store
from tests.sync.peers import PUBLIC, STATION
from tests.sync.test_server import Process

LIRA = ("--currency", "TRY")
HEADING = ["account", "balance", "reserved", "set", "apart", "free"]


class Office:
    """A headquarters' folder and what is typed in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "hq.toml"
        self.done("init", folder, "--simulated", config=False)
        self.done("enrol", STATION, PUBLIC.hex())

    def run(self, command: str, *words: object, config: bool = True) -> click.testing.Result:
        more = ["--config", str(self.config)] if config else []
        return click.testing.CliRunner().invoke(commands, [command, *more, *map(str, words)])

    def done(self, command: str, *words: object, config: bool = True) -> list[list[str]]:
        """What it printed, line by line in words."""
        result = self.run(command, *words, config=config)
        assert result.exit_code == 0, result.output
        return [line.split() for line in result.stdout.splitlines()]

    def refused(self, command: str, *words: object, config: bool = True) -> str:
        result = self.run(command, *words, config=config)
        assert (result.exit_code, result.stdout) == (1, ""), result.output
        return result.stderr


def row(account: str, *amounts: str) -> list[str]:
    """An account's line: balance, reserved, set apart, free."""
    return [account, *(word for amount in amounts for word in (amount, "TRY"))]


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


@pytest.fixture(params=["alone", "beside the server"])
def anyhow(request: pytest.FixtureRequest, office: Office) -> Iterator[Office]:
    if request.param == "alone":
        yield office
        return
    server = Process(office.config)
    try:
        yield office
    finally:
        server.stop()


def test_money_is_paid_in_set_apart_and_shown(anyhow: Office) -> None:
    assert anyhow.done("accounts", *LIRA) == [HEADING]
    paid = ("pay-in", *LIRA, "--id", "2026-01", "KUZEY", "500.00")
    assert anyhow.done(*paid)[1] == row("KUZEY", "500.00", "0.00", "0.00", "500.00")
    assert anyhow.done(*paid)[1][1] == "500.00", "the same payment again is no more money"
    apart = ("allot", *LIRA, "--id", "a", STATION, "KUZEY", "200.5")
    assert anyhow.done(*apart)[1] == row("KUZEY", "500.00", "0.00", "200.50", "299.50")
    assert anyhow.done(*apart)[1][5] == "200.50", "so is the same allotment"
    assert anyhow.done("pay-in", *LIRA, "--id", "back", "--", "KUZEY", "-299.50")[1][-2] == "0.00"
    assert anyhow.done("accounts", *LIRA)[1] == row("KUZEY", "200.50", "0.00", "200.50", "0.00")
    assert "less that is free" in anyhow.refused("pay-in", *LIRA, "--id", "more", "--", "KUZEY", "-0.01")
    assert "less that is free" in anyhow.refused("allot", *LIRA, "--id", "b", STATION, "KUZEY", "0.01")
    assert "take another --id" in anyhow.refused("pay-in", *LIRA, "--id", "2026-01", "KUZEY", "501")
    assert "not enrolled" in anyhow.refused("allot", *LIRA, "--id", "b", "NOBODY", "KUZEY", "1")


def test_what_a_lost_disk_reserves_for_ever_is_shown_and_released(office: Office) -> None:
    """The station's journal went back to before it asked, so it voids nothing: a person says it."""
    office.done("pay-in", *LIRA, "--id", "p", "KUZEY", "500")
    store = Store.open(office.folder / "hq.db")
    assert Prepaid(store.commit).grant(STATION, "grant/x-7", "KUZEY", 300_00, 1_790_000_000_000) == 300_00
    store.close()
    server = Process(office.config)
    try:
        shown = office.done("grants", *LIRA)
        assert shown[1] == f"{STATION} grant/x-7 KUZEY 2026-09-21 14:13 no 300.00 TRY".split()
        assert "has no grant y" in office.refused("release-grant", *LIRA, STATION, "y")
        freed = office.done("release-grant", *LIRA, STATION, "grant/x-7")[1]
        assert freed == row("KUZEY", "500.00", "0.00", "0.00", "500.00")
    finally:
        server.stop()
    assert len(office.done("grants", *LIRA)) == 1
    assert office.done("release-grant", *LIRA, STATION, "grant/x-7")[1] == freed, "said again"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("KUZEY", "0"), "no amount of money that can be booked"),
        (("KUZEY", "1e3"), "no amount of money"),
        (("KUZEY", "0.001"), "more decimals than TRY has"),
        (("KUZEY", "99999999999999999"), "no amount of money that can be booked"),
        (("K" * 65, "1"), "not a payment"),
        (("voucher:7", "1"), "no name for an account"),
    ],
)
def test_what_cannot_be_paid_in_is_refused(office: Office, words: tuple[str, str], says: str) -> None:
    assert says in office.refused("pay-in", *LIRA, "--id", "p", *words)
    assert office.done("accounts", *LIRA) == [HEADING]


def test_less_than_nothing_is_not_set_apart(office: Office) -> None:
    office.done("pay-in", *LIRA, "--id", "p", "KUZEY", "10")
    assert "not an allotment" in office.refused("allot", *LIRA, "--id", "a", "--", STATION, "KUZEY", "-1")
    assert office.done("accounts", *LIRA)[1][-2] == "10.00"


def test_a_code_of_one_use_is_signed_for_one_holder(tmp_path: Path) -> None:
    key, secret = Ed25519PrivateKey.generate(), bytes(range(32))
    keys = ("--key", tmp_path / "headquarters.key", "--list-key", tmp_path / "list.key")
    write_secret(tmp_path / "headquarters.key", key.private_bytes_raw().hex())
    write_secret(tmp_path / "list.key", secret.hex())

    def made(*words: object) -> click.testing.Result:
        return click.testing.CliRunner().invoke(commands, ["qr", *map(str, (*words, *keys))])

    texts = [made("--plate", "34 abc 123", "--minutes", "7").stdout.strip() for _ in range(2)]
    first, second = (read_code(text, verified_by([key.public_key().public_bytes_raw()])) for text in texts)
    assert (first.kind, first.key) == (TokenKind.PLATE, token_key(secret, TokenKind.PLATE, fold_plate("34ABC123")))
    assert first.until_ms - first.from_ms == 7 * 60_000
    assert first.nonce != second.nonce
    with pytest.raises(CodeForged):
        read_code(texts[0], verified_by([Ed25519PrivateKey.generate().public_key().public_bytes_raw()]))
    for words in ((), ("--plate", "34ABC123", "--phone", "+905321112233"), ("--card", "12")):
        result = made(*words)
        assert (result.exit_code, result.stdout) == (1, "")
    (tmp_path / "list.key").unlink()
    assert "list.key" in made("--plate", "34ABC123").stderr
