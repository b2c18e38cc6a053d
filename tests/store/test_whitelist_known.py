"""What a list says of prices and products, held against a station: by commands, before anybody stands at a pump."""

from pathlib import Path

import pytest

from controller.config import load
from controller.domain.list_entries import ListPrice
from controller.domain.quantities import UnitPrice
from controller.office.whitelist_prices import price_lines
from tests.store.test_whitelist_commands import Town

CARDS = """card,account,products,programme,holder,product_set
9001000000000101,KUZEY,diesel,,,
9001000000000102,KUZEY,disel;diesel,,,
9001000000000103,KUZEY,disel,,,
9001000000000104,KUZEY,hydrogen,,,
9001000000000105,FILO,,lpg-pass,F1,lgp
9001000000000106,FILO,,lpg-pass,F1,automatic
9001000000000107,FILO,,another-brand,F1,gold
"""
UNKNOWN = [
    "2 tokens may buy 'disel', which is no grade of station.toml and no product of the list: it never matches. "
    "Is it misspelt?",
    "1 token of lpg-pass: product_set 'lgp', and that programme has only automatic, lpg",
]


@pytest.fixture
def town(tmp_path: Path) -> Town:
    town = Town(tmp_path)
    config = town.station / "station.toml"
    config.write_text(config.read_text() + '\n[programmes]\nuse = ["lpg-pass"]\n')
    return town


def test_products_and_kinds_of_cards_that_nobody_knows_are_said(town: Town) -> None:
    (town.folder / "cards.csv").write_text(CARDS)
    (town.folder / "products.csv").write_text("product,name\nhydrogen,H2\ncng,CNG\n")
    town.here("import", town.path("cards.csv"), town.path("products.csv"))
    for command in ("stats", "verify"):
        done = town.here(command)
        assert done.exit_code == 0
        assert done.output.splitlines()[-2:] == UNKNOWN, command
    assert "hydrogen" not in town.here("stats").output, "the network sells it, this station need not"


def test_a_list_without_such_names_says_nothing(town: Town) -> None:
    town.here("import", town.path("cards.csv"))
    assert len(town.here("verify").output.splitlines()) == 1
    assert "never matches" not in town.here("stats").output


def test_the_lists_prices_at_this_station(town: Town) -> None:
    config = load(town.station / "station.toml")
    hour = 3_600_000
    listed = [
        ListPrice("diesel", 0, UnitPrice(44, 0)),
        ListPrice("diesel", hour, UnitPrice(4510, 2)),
        ListPrice("diesel", hour, UnitPrice(4600, 2), "TR-0009,TR-0010"),
        ListPrice("diesel", 9 * hour, UnitPrice(4620, 2), config.file.station.id),
        ListPrice("cng", hour, UnitPrice(20, 0)),
        ListPrice("gasoline", hour, UnitPrice(43_791, 3)),
    ]
    lines = [" ".join(line.split()) for line in price_lines(listed, config, 2 * hour)]
    assert {line for line in lines if "diesel" in line} == {
        "diesel 44.00 always over",
        "diesel 45.10 1970-01-01 03:00 holds",
        "diesel 46.00 1970-01-01 03:00 for TR-0009;TR-0010",
        "diesel 46.20 1970-01-01 11:00 to come",
    }
    assert "gasoline 43.791 1970-01-01 03:00 not taken: '43.791': the pumps of this grade show 2 decimals" in lines
    assert "cng 20 1970-01-01 03:00 not sold here" in lines


def test_prices_say_who_sets_them(town: Town) -> None:
    assert "import one" in town.here("prices").stderr
    (town.folder / "prices.csv").write_text("price_of,price\ndiesel,44\n")
    town.here("import", town.path("prices.csv"))
    first = town.here("prices").output.splitlines()[0]
    assert first == 'version 1, imported here; not used here: prices.set_by is "desk"'
    config = town.station / "station.toml"
    config.write_text(config.read_text() + '\n[prices]\nset_by = "list"\n')
    lines = [" ".join(line.split()) for line in town.here("prices").output.splitlines()]
    assert lines[0] == "version 1, imported here; they hold here"
    assert "diesel 44.00 always holds" in lines
    assert "gasoline none for this station: the desk sets it" in lines


def test_two_prices_for_one_station_at_one_moment_are_refused(town: Town) -> None:
    (town.folder / "prices.csv").write_text(
        "price_of,price,from,stations\ndiesel,44,2026-01-01T06:00+03:00,A;B\ndiesel,45,2026-01-01T06:00+03:00,B;C\n"
    )
    done = town.here("import", town.path("prices.csv"))
    assert done.exit_code == 1
    assert done.stderr.splitlines()[0] == (
        "two prices of diesel begin together at the same station: 44 for A,B, and 45 for B,C. Which is it?"
    )
