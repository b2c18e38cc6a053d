"""The whitelist: taken whole or not at all, found by keyed hash, and never a reason for the station to stop."""

import os
import sqlite3
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from controller.domain.lists import ListRow, ListState, Status
from controller.domain.quantities import CURRENCIES
from controller.domain.tokens import Assurance, TokenKind, card_token, plate_token
from controller.store.whitelist import COLUMNS, BadLine, Whitelist, WhitelistError, build, read_csv

SECRET = b"\x07" * 32
ZONE = ZoneInfo("Europe/Istanbul")
LIRA, DONG = CURRENCIES["TRY"], CURRENCIES["VND"]
CARD_NUMBER = "7821000000000012"
CARD = card_token(SECRET, CARD_NUMBER, Assurance.PROVEN)
PLATE = plate_token(SECRET, "34 ABC 123")
HEADING = ",".join(COLUMNS)


def rows_of(tmp_path: Path, text: str | bytes) -> list[ListRow]:
    source = tmp_path / "cards.csv"
    source.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(read_csv(source, SECRET, LIRA, ZONE))


def row(account: str = "ACME", key: bytes = CARD.key) -> ListRow:
    return ListRow(key, TokenKind.CARD, Status.ACTIVE, account)


def test_every_column_is_read(tmp_path: Path) -> None:
    line = f'{CARD_NUMBER},,ACME,stopped,"diesel, gasoline",2026-01-01,2026-12-31,34 abc 123,yes,60,1000.5,100.25,7'
    (made,) = rows_of(tmp_path, f"{HEADING}\n{line}\n")
    assert made == ListRow(
        key=CARD.key,
        kind=TokenKind.CARD,
        status=Status.STOPPED,
        account="ACME",
        products="diesel,gasoline",
        valid_from_ms=1_767_214_800_000,  # 2026-01-01 00:00 in Istanbul
        valid_until_ms=1_798_750_800_000,  # to the end of 2026-12-31
        plate_key=PLATE.key,
        ask_odometer=True,
        fill_ml=60_000,
        fill_minor=100_050,
        day_ml=100_250,
        day_minor=700,
    )


def test_a_few_columns_in_any_order_are_enough(tmp_path: Path) -> None:
    text = "account,plate\r\nACME,34 ABC 123\r\n\r\nBURSA,АА 1234 ВВ\r\n"
    first, second = rows_of(tmp_path, b"\xef\xbb\xbf" + text.encode())
    assert first == ListRow(PLATE.key, TokenKind.PLATE, Status.ACTIVE, "ACME")
    assert second.key == plate_token(SECRET, "aa1234bb").key


def test_a_card_may_be_valid_for_ever(tmp_path: Path) -> None:
    (made,) = rows_of(tmp_path, f"card,account,valid_until\n{CARD_NUMBER},ACME,9999-12-31\n")
    assert made.valid_until_ms > 250_000_000_000_000


BAD = {
    "an empty file": ("", 1, "the file is empty"),
    "an unknown column": ("card,account,limit\n", 1, "unknown column limit; known are card, plate"),
    "semicolons": (f"card;account\n{CARD_NUMBER};A\n", 1, "unknown column card;account"),
    "a column twice": ("card,account,account\n", 1, "a column stands twice"),
    "no token": ("card,plate,account\n,,ACME\n", 2, "fill one of the two columns"),
    "two tokens": (f"card,plate,account\n{CARD_NUMBER},34ABC123,ACME\n", 2, "fill one of the two columns"),
    "no account": (f"card,account\n{CARD_NUMBER},\n", 2, "account is empty: say who pays"),
    "no card number": ("card,account\n12AB,ACME\n", 2, "8 to 19 digits"),
    "no plate": ("plate,account\n34/1,ACME\n", 2, "is not a plate"),
    "the third line": (f"card,account\n{CARD_NUMBER},ACME\n12AB,ACME\n", 3, "8 to 19 digits"),
    "after an empty line": (f"card,account\n{CARD_NUMBER},ACME\n\n12AB,ACME\n", 4, "8 to 19 digits"),
    "an unknown status": (f"card,account,status\n{CARD_NUMBER},A,gone\n", 2, "'gone': expected active or stopped"),
    "a wrong day": (f"card,account,valid_from\n{CARD_NUMBER},A,31.12.2026\n", 2, "expected a day such as 2026-12-31"),
    "a day that is none": (f"card,account,valid_until\n{CARD_NUMBER},A,2026-02-30\n", 2, "expected a day such as"),
    "maybe": (f"card,account,ask_odometer\n{CARD_NUMBER},A,maybe\n", 2, "expected yes or no"),
    "a limit of zero": (f"card,account,day_volume\n{CARD_NUMBER},A,0\n", 2, "or nothing for no limit"),
    "a limit below zero": (f"card,account,day_volume\n{CARD_NUMBER},A,-5\n", 2, "expected a number above zero"),
    "too many decimals": (f"card,account,fill_amount\n{CARD_NUMBER},A,1.005\n", 2, "at most 2 decimals"),
    "a decimal comma": (f'card,account,fill_amount\n{CARD_NUMBER},A,"1,5"\n', 2, "not a plain decimal number"),
    "an absurd limit": (f"card,account,day_volume\n{CARD_NUMBER},A,{'9' * 30}\n", 2, "expected a number above zero"),
    "an unquoted comma": (f"card,products,account\n{CARD_NUMBER},diesel,gasoline,A\n", 2, "more fields than in the"),
    "a line cut off": (f"card,account,day_volume\n{CARD_NUMBER},ACME", 2, "was the file cut off?"),
    "an endless field": (f"card,account\n{CARD_NUMBER},{'x' * 200_000}\n", 2, "field larger than field limit"),
}


@pytest.mark.parametrize(("text", "line", "what"), BAD.values(), ids=BAD)
def test_a_bad_line_is_named_and_the_old_list_stands(tmp_path: Path, text: str, line: int, what: str) -> None:
    path = tmp_path / "whitelist.db"
    build(path, [row("OLD")], 1)
    before = path.read_bytes()
    source = tmp_path / "cards.csv"
    source.write_text(text)
    with pytest.raises(BadLine) as caught:
        build(path, read_csv(source, SECRET, LIRA, ZONE), 2)
    assert caught.value.line == line
    assert str(caught.value).startswith(f"{source}, line {line}: ")
    assert what in str(caught.value)
    assert path.read_bytes() == before
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["cards.csv", "whitelist.db"]


def test_a_file_in_another_alphabet_is_named_with_its_line(tmp_path: Path) -> None:
    good = "".join(f"{number},ACME\n" for number in range(10_000_000, 10_003_000))
    with pytest.raises(BadLine, match="line 3002: not UTF-8 text"):
        rows_of(tmp_path, f"card,account\n{good}".encode() + "77777777,ŞİRKET\n".encode("iso8859-9"))


def test_money_goes_by_the_stations_currency(tmp_path: Path) -> None:
    source = tmp_path / "cards.csv"
    source.write_text(f"card,account,day_amount\n{CARD_NUMBER},ACME,2000000\n")
    (made,) = read_csv(source, SECRET, DONG, ZONE)
    assert made.day_minor == 2_000_000
    source.write_text(f"card,account,day_amount\n{CARD_NUMBER},ACME,2000000.50\n")
    with pytest.raises(BadLine, match="at most 0 decimals"):
        list(read_csv(source, SECRET, DONG, ZONE))


def test_the_same_card_twice_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "whitelist.db"
    build(path, [row("OLD")], 1)
    before = path.read_bytes()
    with pytest.raises(WhitelistError, match=r"stands in the list twice .*: nothing was changed"):
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


def spoil_word(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("UPDATE tokens SET status = 'perhaps'")
    database.close()


def spoil_table(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("ALTER TABLE tokens DROP COLUMN day_ml")
    database.close()


def spoil_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "spoil", [spoil_text, spoil_empty, spoil_pages, spoil_word, spoil_table, spoil_folder], ids=lambda f: f.__name__
)
def test_a_spoilt_list_is_an_answer_and_is_healed_by_a_new_import(tmp_path: Path, spoil) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "whitelist.db"
    build(path, [row(key=CARD.key), *(row(key=bytes([n] * 8)) for n in range(200))], 1)
    spoil(path)
    whitelist = Whitelist(path)
    for _ in range(2):
        assert whitelist.look_up(CARD.key).state is ListState.UNREADABLE
        assert "cannot be read" in whitelist.trouble
        assert "import it again" in whitelist.trouble
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
