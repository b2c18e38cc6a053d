"""The whitelist: taken whole or not at all, found by keyed hash, and never a reason for the station to stop."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from controller.domain.list_entries import Catalogue, ListPrice, Product, Rule, key_of
from controller.domain.lists import ListRow, ListState, Status
from controller.domain.quantities import CURRENCIES, Unit, UnitPrice
from controller.domain.tokens import Assurance, TokenKind, card_token, plate_token
from controller.programme_files import shipped_text
from controller.store.whitelist import Whitelist
from controller.store.whitelist_file import Provenance, WhitelistError, changing
from controller.store.whitelist_import import Way, build, import_files, read_csv

SECRET = b"\x07" * 32
ZONE = ZoneInfo("Europe/Istanbul")
LIRA = CURRENCIES["TRY"]
CARD_NUMBER = "7821000000000012"
CARD = card_token(SECRET, CARD_NUMBER, Assurance.PROVEN)
PLATE = plate_token(SECRET, "34 ABC 123")


def row(account: str = "ACME", key: bytes = CARD.key) -> ListRow:
    return ListRow(key, TokenKind.CARD, Status.ACTIVE, account)


def test_the_same_card_twice_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "whitelist.db"
    build(path, [row("OLD")], 1)
    before = path.read_bytes()
    with pytest.raises(WhitelistError, match="stands in the list twice: nothing was changed"):
        build(path, [row("A"), row("B")], 2)
    assert path.read_bytes() == before


def test_a_token_is_found_as_it_was_listed(tmp_path: Path) -> None:
    path = tmp_path / "whitelist.db"
    listed = ListRow(CARD.key, TokenKind.CARD, Status.STOPPED, "ACME", "diesel", 1, 2, PLATE.key, True, 3, 4, 5, 2**62)
    assert build(path, [row("B", b"\xff" * 8), listed], 17) == 2
    whitelist = Whitelist(path)
    found = whitelist.look_up(CARD.key)
    assert (found.state, found.version, found.row) == (ListState.READY, 17, listed)
    stranger = whitelist.look_up(b"stranger")
    assert (stranger.state, stranger.version, stranger.row) == (ListState.READY, 17, None)
    assert whitelist.trouble == ""
    whitelist.close()


def test_an_empty_list_is_a_list(tmp_path: Path) -> None:
    path = tmp_path / "whitelist.db"
    assert build(path, [], 1) == 0
    whitelist = Whitelist(path)
    assert whitelist.look_up(CARD.key).state is ListState.READY
    whitelist.close()


def test_a_list_of_many_is_built_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "whitelist.db"
    keys = [number.to_bytes(8, "big") for number in range(5_000, 0, -1)]
    assert build(path, (row(str(key), key) for key in keys), 1) == 5_000
    whitelist = Whitelist(path)
    assert all(whitelist.look_up(key).row == row(str(key), key) for key in keys[::500])
    whitelist.close()


@pytest.mark.parametrize("name", ["plain", "with a space", "what?mode=rw", "100%25", "#1", "Ödeme"])
def test_a_list_is_found_in_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    build(folder / "whitelist.db", [row()], 1)
    whitelist = Whitelist(folder / "whitelist.db")
    assert whitelist.look_up(CARD.key).row == row()
    whitelist.close()


def test_a_missing_list_is_an_answer_and_a_trouble_with_advice(tmp_path: Path) -> None:
    whitelist = Whitelist(tmp_path / "whitelist.db")
    assert whitelist.look_up(CARD.key).state is ListState.MISSING
    assert "import one (forecourt whitelist import)" in whitelist.trouble
    build(tmp_path / "whitelist.db", [row()], 1)
    assert whitelist.look_up(CARD.key).row == row(), "it is taken as soon as it is there"
    assert whitelist.trouble == ""
    (tmp_path / "whitelist.db").unlink()
    assert whitelist.look_up(CARD.key).state is ListState.MISSING
    whitelist.close()


def spoil_text(path: Path) -> None:
    path.write_text("this is no database at all\n" * 100)


def spoil_empty(path: Path) -> None:
    path.write_bytes(b"")


def spoil_pages(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4_096:] = b"\xa5" * (len(data) - 4_096)
    path.write_bytes(data)


def spoil_entry(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("UPDATE entries SET value = x'93a4'")
    database.close()


def spoil_word(path: Path) -> None:
    with sqlite3.connect(path) as database:
        rows = [
            (value.replace(b"active", b"absent"), key)
            for key, value in database.execute("SELECT key, value FROM entries")
        ]
        database.executemany("UPDATE entries SET value = ? WHERE key = ?", rows)
    database.close()


def spoil_kind(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("UPDATE entries SET kind = 99")
    database.close()


def spoil_table(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("DROP TABLE entries")
    database.close()


def spoil_about(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("DELETE FROM about")
    database.close()


def spoil_format(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("UPDATE about SET format = 99")
    database.close()


def spoil_age(path: Path) -> None:
    """As the lists of before this format were."""
    path.unlink()
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE tokens (key BLOB PRIMARY KEY, kind TEXT, status TEXT)")
    database.close()


def spoil_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "spoil",
    [
        spoil_text,
        spoil_empty,
        spoil_pages,
        spoil_entry,
        spoil_word,
        spoil_kind,
        spoil_table,
        spoil_about,
        spoil_format,
        spoil_age,
        spoil_folder,
    ],
    ids=lambda spoil: spoil.__name__,
)
def test_a_spoilt_list_is_an_answer_and_is_healed_by_a_new_import(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    path = tmp_path / "whitelist.db"
    build(path, [row(key=CARD.key), *(row(key=bytes([n] * 8)) for n in range(200))], 1)
    spoil(path)
    whitelist = Whitelist(path)
    for _ in range(2):
        assert whitelist.look_up(CARD.key).state is ListState.UNREADABLE
        assert "cannot be read" in whitelist.trouble
        assert "import it again" in whitelist.trouble
        catalogue = whitelist.catalogue()
        assert catalogue is None or catalogue == Catalogue(1, signed=False), "nothing of it is made up"
    if path.is_dir():
        path.rmdir()
    build(path, [row("NEW")], 2)
    assert whitelist.look_up(CARD.key).row == row("NEW")
    whitelist.close()


def test_a_new_list_is_taken_by_a_running_station_at_once(tmp_path: Path) -> None:
    path = tmp_path / "whitelist.db"
    build(path, [row("OLD")], 1)
    whitelist = Whitelist(path)
    for version in range(2, 6):
        before = whitelist.look_up(CARD.key)
        build(path, [row(f"NEW {version}")], version)
        # Same size, and the same second: only the file itself is another one.
        os.utime(path, ns=(0, 0))
        found = whitelist.look_up(CARD.key)
        assert (found.version, found.row) == (version, row(f"NEW {version}"))
        assert before.version == version - 1
    whitelist.close()


@pytest.mark.parametrize(
    "spoil", [spoil_text, spoil_empty, spoil_about, spoil_format, spoil_age], ids=lambda f: f.__name__
)
def test_a_new_list_that_cannot_be_used_leaves_the_old_one_in_use(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    path, bad = tmp_path / "whitelist.db", tmp_path / "bad.db"
    build(path, [row("OLD")], 1)
    whitelist = Whitelist(path)
    assert whitelist.look_up(CARD.key).row == row("OLD")
    build(bad, [row("BAD")], 2)
    spoil(bad)
    os.replace(bad, path)
    for _ in range(2):
        found = whitelist.look_up(CARD.key)
        assert (found.version, found.row) == (1, row("OLD"))
        assert "Version 1 stays in use" in whitelist.trouble
        assert "import it again" in whitelist.trouble
    build(path, [row("NEW")], 3)
    assert whitelist.look_up(CARD.key).row == row("NEW")
    assert whitelist.trouble == ""
    whitelist.close()


def test_only_one_command_changes_the_list_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "whitelist.db"
    with changing(path), pytest.raises(WhitelistError, match="is being changed by another command"):
        build(path, [row()], 1)
    assert build(path, [row()], 1) == 1


def test_products_prices_and_rules_come_with_the_list(tmp_path: Path) -> None:
    rules = shipped_text("opet-kart")
    (tmp_path / "opet.toml").write_text(rules)
    sources = {
        "cards.csv": f"card,account\n{CARD_NUMBER},ACME\n",
        "products.csv": "product,name,unit\ndiesel,Motorin,l\ncng,CNG,m3\n",
        "prices.csv": "price_of,price,from,stations\n"
        "diesel,44.120,2026-03-01T06:00+03:00,\n"
        "diesel,45,2026-03-01T06:00+03:00,TR-0002;TR-0001\n"
        "diesel,43.00,,\n",
        "rules.csv": "rule,file\nopet-kart,opet.toml\n",
    }
    for name, text in sources.items():
        (tmp_path / name).write_text(text)
    path = tmp_path / "whitelist.db"
    way = Way(SECRET, LIRA, ZONE)
    import_files(path, [tmp_path / name for name in sources], way, Provenance(1, 0, "", ""))
    whitelist = Whitelist(path)
    catalogue = whitelist.catalogue()
    assert catalogue is not None
    assert (catalogue.version, catalogue.signed) == (1, False)
    assert set(catalogue.products) == {Product("diesel", "Motorin"), Product("cng", "CNG", Unit.CUBIC_METRE)}
    assert set(catalogue.prices) == {
        ListPrice("diesel", 1_772_334_000_000, UnitPrice(4412, 2)),
        ListPrice("diesel", 1_772_334_000_000, UnitPrice(45, 0), "TR-0001,TR-0002"),
        ListPrice("diesel", 0, UnitPrice(43, 0)),
    }
    assert catalogue.rules == (Rule("opet-kart", rules),)
    assert whitelist.catalogue() is catalogue, "it is read once a file"
    build(path, [row()], 2)
    newer = whitelist.catalogue()
    assert newer is not None
    assert (newer.version, newer.prices) == (2, ())
    found = whitelist.look_up(CARD.key)
    assert found.row == row()
    product = key_of(Product("diesel", ""))
    assert whitelist.look_up(product).row is None, "a product is no token"
    whitelist.close()


def test_no_number_and_no_plate_stands_in_the_file(tmp_path: Path) -> None:
    source = tmp_path / "cards.csv"
    source.write_text(f"card,plate,account,only_plate\n{CARD_NUMBER},,ACME,06 XYZ 987\n,34 ABC 123,BURSA,\n")
    path = tmp_path / "whitelist.db"
    build(path, read_csv(source, SECRET, LIRA, ZONE), 1)
    data = path.read_bytes().upper()
    for secret in (CARD_NUMBER, CARD_NUMBER[6:], "34 ABC 123", "34ABC123", "06 XYZ 987", "06XYZ987"):
        assert secret.encode() not in data
        assert secret.encode("utf-16-le") not in data
    assert b"ACME" in data


def test_a_build_that_was_cut_off_is_in_nobodys_way(tmp_path: Path) -> None:
    path = tmp_path / "whitelist.db"
    (tmp_path / "whitelist.db.new").write_bytes(b"half a list")
    (tmp_path / "whitelist.db.new-journal").write_bytes(b"half a journal")
    assert build(path, [row()], 1) == 1
    whitelist = Whitelist(path)
    assert whitelist.look_up(CARD.key).row == row()
    whitelist.close()
