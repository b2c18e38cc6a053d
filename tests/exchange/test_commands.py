"""Two headquarters on disk exchange cards and transactions by `forecourt hq exchange`, file by file."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import click.testing
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller.domain.funds import Funds
from controller.domain.quantities import Unit, UnitPrice
from controller.domain.records import Delivery, TenderKind
from sync.hq.commands import hq as commands
from sync.hq.exchange.packages import FORMAT, MOST, Traded, Transaction, pack
from sync.hq.ingest import Ingest
from sync.hq.store import Store
from tests.hq_programmes.bench import SECRET, StationJournal, ms, token
from tests.sync.peers import PUBLIC, STATION, Chance

CARD = "7001000011112222"
EVENTS = [
    {"at": "2026-01-01T08:00:00+02:00", "type": "contract.open", "ref": "c", "contract": "C1", "prepaid": True},
    {"at": "2026-01-01T08:00:01+02:00", "type": "card.issue", "ref": "k", "holder": "C1", "card": CARD},
    {
        "at": "2026-01-01T08:00:02+02:00",
        "type": "account.pay_in",
        "ref": "p",
        "contract": "C1",
        "amount_minor": 100_000,
    },
]


class Folder:
    """A headquarters' folder, and its commands."""

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        assert self.run("init", path, config=False).exit_code == 0
        config = path / "hq.toml"
        text = config.read_text().replace("[listen]", '[products]\nmethane = "cng"\n\n[listen]', 1)
        config.write_text(
            'programmes = ["cng-interissuer"]\nlist_key = "list.key"\n'
            + text.replace("simulated = false", "simulated = true")
        )
        (path / "list.key").write_text(SECRET.hex())
        (path / "list.key").chmod(0o600)
        result = self.run("exchange", "init", name)
        assert result.exit_code == 0, result.output
        self.public_key = result.stdout.split()[-1]

    def run(self, *words: object, config: bool = True) -> click.testing.Result:
        more = ["--config", str(self.path / "hq.toml")] if config else []
        at = 2 if words[0] in {"exchange", "programme", "portal"} else 1
        arguments = [*map(str, words[:at]), *more, *map(str, words[at:])]
        return click.testing.CliRunner().invoke(commands, arguments)

    def done(self, *words: object) -> str:
        result = self.run(*words)
        assert result.exit_code == 0, result.output
        return result.stdout

    def refused(self, *words: object) -> str:
        result = self.run(*words)
        assert result.exit_code == 1, result.output
        return result.stderr

    def station_sells(self, account: str, amount_minor: int, *, card: str = CARD, grade: str = "methane") -> None:
        store = Store.open(self.path / "hq.db")
        try:
            store.enrol(STATION, PUBLIC, 0)
            journal = StationJournal(simulated=True)
            journal.at_ms = ms("2026-01-15T09:00:00+02:00")
            journal.start(Chance(1))
            price = UnitPrice(2500, 2)
            delivery = Delivery(
                1, 1, grade, Unit.CUBIC_METRE, price, 4_000, amount_minor, 0, 0, None, token(card), account,
                Funds.POSTPAID, False,
            )  # fmt: skip
            journal.settle_by(journal.write(delivery), [(TenderKind.ACCOUNT, amount_minor)])
            Ingest(store, simulated=True).receive(journal.batch(0), ms("2026-01-15T10:00:00+02:00"))
        finally:
            store.close()


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Folder, Folder]:
    a, b = Folder(tmp_path / "a", "ACME"), Folder(tmp_path / "b", "BETA")
    a.done("exchange", "partner", "BETA", b.public_key)
    b.done("exchange", "partner", "ACME", a.public_key)
    (tmp_path / "events.jsonl").write_text("\n".join(map(json.dumps, EVENTS)))
    a.done("programme", "enter", "cng-interissuer", tmp_path / "events.jsonl")
    return a, b


def test_a_card_of_one_buys_at_the_other_and_the_day_is_netted(pair: tuple[Folder, Folder], tmp_path: Path) -> None:
    a, b = pair
    a.done("exchange", "service", "BETA", "--out", tmp_path / "a-1", "--key", f"1={a.public_key}")
    assert "package 1 of ACME: 1 cards, 0 stopped" in b.done("exchange", "take", tmp_path / "a-1")
    b.done("exchange", "cards", "--out", tmp_path / "cards.csv", "--products", "methane")
    assert (tmp_path / "cards.csv").read_text().splitlines() == [
        "card,account,status,products,valid_until",
        f"{CARD},issuer:ACME,active,methane,",
    ]
    b.station_sells("issuer:ACME", 100_00)
    b.done("exchange", "day", "ACME", "2026-01-15", "--out", tmp_path / "b-1")
    a.done("exchange", "day", "BETA", "2026-01-15", "--out", tmp_path / "a-2")
    assert "1 transactions of 2026-01-15" in a.done("exchange", "take", tmp_path / "b-1")
    b.done("exchange", "take", tmp_path / "a-2")
    balances = a.done("programme", "balances", "cng-interissuer", "C1", "--json")
    assert '"amount":90000' in balances.replace(" ", "").replace('"amount_minor"', '"amount"')
    at_a, at_b = (
        json.loads(each.done("exchange", "net", other, "2026-01-15", "--json"))
        for each, other in ((a, "BETA"), (b, "ACME"))
    )
    assert (at_a["net_minor"], at_b["net_minor"]) == (-100_00, 100_00)
    assert at_a["agreed"] == at_b["agreed"] != ""
    text = a.done("exchange", "net", "BETA", "2026-01-15")
    assert "ACME owes BETA 100.00 UAH" in text
    assert at_a["agreed"] in text


def test_a_stopped_card_is_on_the_partners_stop_list(pair: tuple[Folder, Folder], tmp_path: Path) -> None:
    a, b = pair
    lost = {"at": "2026-01-02T08:00:00+02:00", "type": "card.lost", "ref": "l", "card": CARD}
    (tmp_path / "lost.jsonl").write_text(json.dumps(lost))
    a.done("programme", "enter", "cng-interissuer", tmp_path / "lost.jsonl")
    a.done("exchange", "service", "BETA", "--out", tmp_path / "a-1")
    assert "1 cards, 1 stopped" in b.done("exchange", "take", tmp_path / "a-1")
    b.done("exchange", "cards", "--out", tmp_path / "cards.csv")
    assert f"{CARD},issuer:ACME,stopped,cng," in (tmp_path / "cards.csv").read_text()


def test_what_cannot_be_done_is_said_and_changes_nothing(pair: tuple[Folder, Folder], tmp_path: Path) -> None:
    a, b = pair
    a.done("exchange", "service", "BETA", "--out", tmp_path / "a-1")
    damaged = tmp_path / "damaged"
    damaged.write_bytes((tmp_path / "a-1").read_bytes().replace(b"C1", b"C2"))
    assert f"{damaged}: it was not signed by ACME, or was changed since" in b.refused("exchange", "take", damaged)
    assert "GAMMA is no partner here" in b.refused("exchange", "net", "GAMMA", "2026-01-15")
    assert "is not over yet" in b.refused("exchange", "day", "ACME", "2999-01-01", "--out", tmp_path / "x")
    b.done("exchange", "day", "ACME", "2026-01-15", "--out", tmp_path / "x")
    b.done("exchange", "again", "ACME", "1", "--out", tmp_path / "y")
    assert (tmp_path / "x").read_bytes() == (tmp_path / "y").read_bytes()


def test_a_sale_to_a_card_that_was_never_listed_waits_and_stops_nothing(
    pair: tuple[Folder, Folder], tmp_path: Path
) -> None:
    a, b = pair
    a.done("exchange", "service", "BETA", "--out", tmp_path / "a-1")
    b.station_sells("issuer:ACME", 100_00)
    said = b.done("exchange", "day", "ACME", "2026-01-15", "--out", tmp_path / "b-1")
    assert f"left out: {STATION}/" in said
    assert "100.00 UAH, to a card that ACME never listed" in said
    assert "0 transactions" in a.done("exchange", "take", tmp_path / "b-1")
    b.done("exchange", "take", tmp_path / "a-1")
    assert "left out" not in b.done("exchange", "day", "ACME", "2026-01-16", "--out", tmp_path / "b-2")
    assert "1 transactions" in a.done("exchange", "take", tmp_path / "b-2")


def test_a_restored_headquarters_takes_back_what_it_sent(pair: tuple[Folder, Folder], tmp_path: Path) -> None:
    a, b = pair
    backup = (a.path / "hq.db").read_bytes()
    a.done("exchange", "service", "BETA", "--out", tmp_path / "a-1")
    b.done("exchange", "take", tmp_path / "a-1")
    for left in a.path.glob("hq.db*"):
        left.unlink()
    (a.path / "hq.db").write_bytes(backup)
    assert f"BETA  partner  {b.public_key}  sent 0, taken 0" in a.done("exchange", "partners")
    assert f"ACME  partner  {a.public_key}  sent 0, taken 1" in b.done("exchange", "partners")
    a.done("exchange", "day", "BETA", "2026-01-15", "--out", tmp_path / "a-other")
    assert "forecourt hq exchange return ACME 1" in b.refused("exchange", "take", tmp_path / "a-other")
    b.done("exchange", "return", "ACME", "1", "--out", tmp_path / "back")
    assert "package 1 to BETA is known here again" in a.done("exchange", "take", tmp_path / "back")
    a.done("exchange", "day", "BETA", "2026-01-15", "--out", tmp_path / "a-2")
    assert "package 2 of ACME" in b.done("exchange", "take", tmp_path / "a-2")


def test_a_key_that_others_can_read_is_not_used(pair: tuple[Folder, Folder], tmp_path: Path) -> None:
    a, _ = pair
    (a.path / "exchange.key").chmod(0o644)
    said = a.refused("exchange", "service", "BETA", "--out", tmp_path / "a-1")
    assert "can be read by others" in said
    (a.path / "exchange.key").unlink()
    assert "forecourt hq exchange init" in a.refused("exchange", "service", "BETA", "--out", tmp_path / "a-1")


def test_nothing_that_a_partner_may_sign_stops_the_settlement(pair: tuple[Folder, Folder], tmp_path: Path) -> None:
    """Sales of nothing, of all the money there is, of another fuel, of long ago, to a stranger; and their reversals."""
    a, b = pair
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex((b.path / "exchange.key").read_text()))
    made = datetime(2026, 1, 16, tzinfo=UTC)
    sold = Transaction("1", made, CARD, "S", "cng", 4_000, 100_00)
    odd = (
        msgspec.structs.replace(sold, volume_ml=0, amount_minor=0),
        msgspec.structs.replace(sold, ref="2", volume_ml=MOST, amount_minor=MOST),
        msgspec.structs.replace(sold, ref="3" * 128, station="S" * 128, product="diesel"),
        msgspec.structs.replace(sold, ref="4", at=datetime(1970, 1, 1, tzinfo=UTC)),
        msgspec.structs.replace(sold, ref="5", card="9999000011112222"),
        msgspec.structs.replace(sold, ref="6: \u202e é", at=made + timedelta(hours=23)),
        msgspec.structs.replace(sold, ref="7", volume_ml=0),
        msgspec.structs.replace(sold, ref="8", amount_minor=0),
    )
    backs = tuple(
        msgspec.structs.replace(
            each,
            ref=f"r{each.ref[:100]}",
            volume_ml=-each.volume_ml,
            amount_minor=-each.amount_minor,
            reverses=each.ref,
        )
        for each in odd[1:]
    )
    for number, (transactions, day) in enumerate(((odd, 15), (backs, 16)), 1):
        package = Traded(FORMAT, "BETA", "ACME", number, made, date(2026, 1, day), "UAH", transactions)
        (tmp_path / "package").write_bytes(pack(package, key))
        said = a.done("exchange", "take", tmp_path / "package")
        assert f"{len(transactions)} transactions" in said
        assert "was never issued here" in said
    bought = json.loads(a.done("exchange", "net", "BETA", "2026-01-15", "--json"))["bought"]["amount_minor"]
    assert bought == MOST + 5 * 100_00
    assert json.loads(a.done("exchange", "net", "BETA", "2026-01-16", "--json"))["bought"]["amount_minor"] == -bought
