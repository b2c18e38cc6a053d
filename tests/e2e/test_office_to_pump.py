"""A fuel card's life, from its keys to its replacement, as an operator does it: every step a command, a real pcscd
between cards and readers, and cards that are torn away at the worst moments.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cards.pcscd import PrivatePcscd
from tests.e2e.network import FILL_MINOR, LOADED, RIGHTS, STATION_TOML, Network, Row, purse_of

NUMBER, NEW_NUMBER = "7001234567890123", "7001234567890131"
MASKED = "700123******0123"
WANT_ML = 1_000
COST_MINOR = 4_412
"""Of so much diesel, at the price of a new station's template."""


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """One network, with one card, for all tests of this file: each begins and ends with nothing open at the pump."""
    folder = tmp_path_factory.mktemp("network")
    with contextlib.ExitStack() as stack:
        daemon = PrivatePcscd(folder)
        stack.callback(daemon.close)
        daemon.start()
        made = Network(folder, daemon)
        stack.callback(made.close)
        made.set_up(NUMBER, folder / "driver.card")
        yield made


@pytest.fixture
def card(network: Network) -> Path:
    return network.folder / "driver.card"


def kinds(rows: list[Row]) -> list[str]:
    return [row.kind for row in of_sales(rows)]


def of_sales(rows: list[Row]) -> list[Row]:
    """Without what comes whenever it likes."""
    return [row for row in rows if row.kind not in ("totaliser", "contact")]


def test_a_card_that_was_made_at_the_office_pays_at_the_pump(network: Network, card: Path) -> None:
    before = len(network.rows())
    network.forecourt("sim", "lift", "1", "2")
    with network.at_pump(card):
        network.shows(" 1 authorised")
        network.forecourt("sim", "squeeze", "1", str(WANT_ML))
        network.is_filled(WANT_ML)
        network.forecourt("sim", "hang-up", "1")
        network.shows(" 1 idle")
        network.wait_until(lambda: of_sales(network.rows())[-1].kind == "purse_refunded")
    rows = of_sales(network.rows()[before:])
    assert kinds(rows) == ["purse_intended", "purse_debited", "authorised", "delivery", "settlement", "purse_refunded"]
    sale = rows[kinds(rows).index("delivery")]
    assert (sale.volume_ml, sale.amount_minor) == (WANT_ML, COST_MINOR)
    assert rows[0].maximum >= FILL_MINOR
    assert rows[-1].amount == rows[0].maximum - COST_MINOR
    assert purse_of(card) == LOADED - COST_MINOR

    with network.on_desk(card):
        read = network.desk("read").splitlines()
        assert f"purse         {LOADED - COST_MINOR} minor units, 3 commits" in read
        (fill,) = (line for line in read if line.startswith("fill"))
        assert f"station 4711, point 1: {WANT_ML} ml, {COST_MINOR} minor units" in fill
        assert "as it should be, keys of version 1" in network.desk("verify")
    assert "each follows the one before it" in network.forecourt("journal", "verify", "--config", STATION_TOML)
    (receipt,) = (network.folder / "station" / "data" / "receipts").glob("*.txt")
    assert MASKED in receipt.read_text(encoding="utf-8")
    assert "Card purse" in receipt.read_text(encoding="utf-8")

    network.wait_until(network.synced)
    assert network.check_cards() == "3 commits of 1 cards checked, 0 to look at\n"


UNKNOWN, OWED = "Nobody knows whether", "goes back to it: present the card again"
TORN = ["purse_intended", "declined", "purse_resolved"]
SOLD = ["purse_debited", "authorised", "delivery", "settlement"]


@pytest.mark.parametrize(
    ("tear", "open_text", "fate", "story"),
    [
        ("commit:before", UNKNOWN, ["not_applied"], [*TORN, "purse_intended", *SOLD, "purse_refunded"]),
        ("commit:after", UNKNOWN, ["applied"], [*TORN, "purse_refunded", "purse_intended", *SOLD, "purse_refunded"]),
        ("commit2:after", OWED, ["refunded"], ["purse_intended", *SOLD, "purse_resolved"]),
        ("commit2:before", OWED, [], ["purse_intended", *SOLD, "purse_refunded"]),
    ],
    ids=["debit not applied", "debit applied", "refund applied", "refund not applied"],
)
def test_a_torn_card_has_paid_once_in_the_end(
    network: Network, card: Path, tear: str, open_text: str, fate: list[str], story: list[str]
) -> None:
    purse, before = purse_of(card), len(network.rows())
    at_debit = open_text == UNKNOWN
    network.lifts()
    torn = network.torn_at_pump(card, tear)
    if not at_debit:
        network.fills(WANT_ML)
    network.is_torn(torn)
    assert MASKED in network.shows(open_text)
    with network.at_pump(card):
        if at_debit:
            network.fills(WANT_ML)
        network.shows(" 1 idle")
        network.shows_no(UNKNOWN, OWED)
    rows = of_sales(network.rows()[before:])
    assert kinds(rows) == story
    assert [row.reason for row in rows if row.kind == "declined"] == ["purse_unknown"] * at_debit
    assert [row.fate for row in rows if row.kind == "purse_resolved"] == fate
    assert purse_of(card) == purse - COST_MINOR


def test_a_replaced_card_is_refused_and_what_cards_signed_is_checked(network: Network, card: Path) -> None:
    new = network.folder / "new.card"
    network.forecourt("sim", "card", new, "--new")
    with network.on_desk(new):
        said = network.desk("replace", "--card-number", NUMBER, "--new-number", NEW_NUMBER, *RIGHTS)
        assert said.endswith(f"now stop the old card: give {MASKED} the status stopped in the stations' card list\n")
        assert "card          700123******0131" in network.desk("read")
    network.send_list({NUMBER: "stopped", NEW_NUMBER: "active"})
    purse, before = purse_of(card), len(network.rows())
    network.lifts()
    with network.at_pump(card):
        network.wait_until(lambda: len(network.rows()) > before)
    network.hangs_up()
    (refused,) = (row for row in network.rows()[before:] if row.kind == "declined")
    assert refused.reason == "card_blocked"
    assert purse_of(card) == purse

    rows = network.rows()
    heard = max((at for at, row in enumerate(rows) if row.kind in ("purse_debited", "purse_refunded")), default=0)
    # what comes after the last commit that anybody heard of cannot be missed
    lost = [row for row in rows[:heard] if row.kind == "purse_resolved" and row.fate in ("applied", "refunded")]
    network.wait_until(network.synced)
    *findings, last = network.check_cards(fails=bool(lost)).splitlines()
    assert last.endswith(f"{len(lost)} to look at")
    for finding in findings:
        assert finding.startswith(f"missing: card {MASKED}, commit "), "an answer that was lost, and nothing else"
        assert "was made by station number 4711" in finding
