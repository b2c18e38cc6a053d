"""Lists from files: every column is read, every bad line is named, and nothing is half-applied."""

import json
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.funds import Funds
from controller.domain.list_entries import encode_entry
from controller.domain.lists import Cap, Hours, Level, ListRow, Measure, Status, Window
from controller.domain.pins import Verifier
from controller.domain.quantities import CURRENCIES
from controller.domain.tokens import Assurance, TokenKind, card_token, driver_key, fold_phone, plate_token, token_key
from controller.office.whitelist_text import row_lines
from controller.programme_files import shipped_text
from controller.store import whitelist_import
from controller.store.whitelist import Whitelist
from controller.store.whitelist_columns import CAPS, CONDITIONS, TOKEN_COLUMNS, Columns, Meaning
from controller.store.whitelist_file import Provenance, digests_of, open_to_read
from controller.store.whitelist_import import Way, build, import_files, read_csv
from controller.store.whitelist_lines import BAD_LINES_MAX, BadLine, BadLines, blocks, read_block
from tests.store.test_whitelist_members import TEXTS as MEMBER_TEXTS

SECRET = b"\x07" * 32
ZONE = ZoneInfo("Europe/Istanbul")
LIRA, DONG = CURRENCIES["TRY"], CURRENCIES["VND"]
WAY = Way(SECRET, LIRA, ZONE)
CARD_NUMBER = "7821000000000012"
CARD = card_token(SECRET, CARD_NUMBER, Assurance.PROVEN)
PLATE = plate_token(SECRET, "34 ABC 123")
PIN = Verifier(2, b"s" * 16, b"k" * 32).text
FROM_HERE = Provenance(1, 0, "", "")


def rows_of(tmp_path: Path, text: str | bytes, name: str = "cards.csv") -> list[ListRow]:
    source = tmp_path / name
    source.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(read_csv(source, SECRET, LIRA, ZONE))


def one_row(tmp_path: Path, **columns: str) -> ListRow:
    names = {"card": CARD_NUMBER, "account": "ACME"} | columns
    quoted = ",".join(f'"{text}"' for text in names.values())
    (made,) = rows_of(tmp_path, f"{','.join(names)}\n{quoted}\n")
    return made


FULL: dict[str, tuple[str, dict[str, Any]]] = {
    "account": ("ACME", {}),
    "status": ("stopped", {"status": Status.STOPPED}),
    "products": ("diesel; gasoline", {"products": "diesel,gasoline"}),
    "valid_from": ("2026-01-01", {"valid_from_ms": 1_767_214_800_000}),  # 00:00 in Istanbul
    "valid_until": ("2026-12-31", {"valid_until_ms": 1_798_750_800_000}),  # to the end of the day
    "only_plate": ("34 abc 123", {"plate_key": PLATE.key}),
    "ask_odometer": ("yes", {"ask_odometer": True}),
    "stations": ("TR-0001;TR-0002", {"stations": "TR-0001,TR-0002"}),
    "hours": ("mon-fri 06:00-22:00; sat 22:00-02:00", {"hours": (Hours(31, 360, 1320), Hours(32, 1320, 120))}),
    "pin_verifier": (PIN, {"pin": PIN}),
    "pin_version": ("3", {"pin_version": 3}),
    "drivers": ("a12;B34", {"drivers": (driver_key(SECRET, "A12"), driver_key(SECRET, "b34"))}),
    "tank_volume": ("65.5", {"tank_ml": 65_500}),
    "vehicle": ("34 ABC 123", {"vehicle_key": PLATE.key}),
    "funds": ("prepaid", {"funds": Funds.PREPAID}),
    "assurance": ("camera", {"assurance": Assurance.CAMERA}),
    "fill_volume": ("60", {"fill_ml": 60_000}),
    "fill_amount": ("1000.5", {"fill_minor": 100_050}),
    "day_volume": ("100.25", {"day_ml": 100_250}),
    "day_amount": ("7", {"day_minor": 700}),
}


def test_no_condition_is_without_an_example() -> None:
    assert set(CONDITIONS) <= set(FULL)


@pytest.mark.parametrize("column", FULL)
def test_every_column_is_read_by_itself(tmp_path: Path, column: str) -> None:
    text, meant = FULL[column]
    expected: dict[str, Any] = {"status": Status.ACTIVE, "account": "ACME"} | meant
    assert one_row(tmp_path, **{column: text}) == ListRow(CARD.key, TokenKind.CARD, **expected)


@pytest.mark.parametrize("column", CAPS)
def test_every_limit_has_a_column(tmp_path: Path, column: str) -> None:
    level, window, measure = CAPS[column]
    most = {Measure.VOLUME: 12_000, Measure.AMOUNT: 1_200, Measure.FILLS: 12}[measure]
    made = one_row(tmp_path, **{column: "12"})
    if column in FULL:
        assert made.caps == ()
    else:
        assert made == ListRow(
            CARD.key, TokenKind.CARD, Status.ACTIVE, "ACME", caps=(Cap(level, window, measure, most),)
        )
    assert dict(row_lines(made, LIRA, ZONE))[column] == "12", "it is shown by the same name"


def test_all_columns_at_once_in_any_order_give_the_same_entry(tmp_path: Path) -> None:
    texts = {"card": CARD_NUMBER} | {column: text for column, (text, _) in FULL.items()}
    texts |= {column: "12" for column in CAPS if column not in FULL} | MEMBER_TEXTS
    assert {*texts, "plate", "phone", "voucher"} == set(TOKEN_COLUMNS)
    columns = Columns(Meaning(SECRET, LIRA, ZONE, str))
    entries = {
        columns.plan(names)([[texts[name] for name in names]])[0] for names in (tuple(texts), tuple(reversed(texts)))
    }
    (entry,) = entries
    (row,) = [one_row(tmp_path, **texts)]
    assert encode_entry(row) == entry
    assert len(row.caps) == len(CAPS) - 4


def test_cards_plates_and_phones_stand_side_by_side(tmp_path: Path) -> None:
    text = f"account,plate,card,phone\r\nA,34 ABC 123,,\r\n\r\nB,,{CARD_NUMBER},\r\n"
    text += "C,,,+90 532 000 00 01\r\nD, АА1234ВВ,,\n"
    keys = [row.key for row in rows_of(tmp_path, b"\xef\xbb\xbf" + text.encode())]
    phone = token_key(SECRET, TokenKind.PHONE, fold_phone("0090 532 0000001"))
    assert keys == [PLATE.key, CARD.key, phone, plate_token(SECRET, "aa1234bb").key]


def test_a_card_may_be_valid_for_ever(tmp_path: Path) -> None:
    made = one_row(tmp_path, valid_until="9999-12-31")
    assert made.valid_until_ms > 250_000_000_000_000
    assert dict(row_lines(made, LIRA, ZONE))["valid_until"] == "9999-12-31"


def test_what_is_shown_of_a_row_has_no_secrets(tmp_path: Path) -> None:
    made = one_row(tmp_path, **{column: text for column, (text, _) in FULL.items()})
    shown = dict(row_lines(made, LIRA, ZONE))
    assert set(shown) == set(FULL)
    assert shown["hours"] == "mon,tue,wed,thu,fri 06:00-22:00; sat 22:00-02:00"
    assert shown["valid_until"] == "2026-12-31"
    assert shown["fill_amount"] == "1000.5"
    assert "scrypt" not in str(shown)


def test_json_lines_say_the_same_as_csv(tmp_path: Path) -> None:
    lines = [
        {"card": CARD_NUMBER, "account": "ACME", "products": ["diesel", "gasoline"], "ask_odometer": True},
        {"plate": "34 ABC 123", "account": "BURSA", "fill_volume": 59.9, "day_fills": 2, "valid_from": None},
    ]
    source = "\n".join(map(json.dumps, lines))
    first, second = rows_of(tmp_path, source, "cards.jsonl")
    assert first == ListRow(
        CARD.key, TokenKind.CARD, Status.ACTIVE, "ACME", products="diesel,gasoline", ask_odometer=True
    )
    cap = Cap(Level.CARD, Window.DAY, Measure.FILLS, 2)
    assert second == ListRow(PLATE.key, TokenKind.PLATE, Status.ACTIVE, "BURSA", fill_ml=59_900, caps=(cap,))


CARD_ = f"card,account\n{CARD_NUMBER},A"
BAD = {
    "an empty file": ("", 1, "the file is empty"),
    "an unknown column": ("card,account,limit\n", 1, "unknown column limit; known are card, plate"),
    "a PIN": ("card,account,pin\n", 1, "a PIN does not belong in a file"),
    "semicolons": (f"card;account\n{CARD_NUMBER};A\n", 1, "unknown column card;account"),
    "a column twice": ("card,account,account\n", 1, "a column stands twice"),
    "nothing listed": ("account,status\n", 1, "one of the columns card, plate, phone, voucher, product, price_of"),
    "nobody pays": ("card,status\n", 1, "the column account is needed"),
    "a mixture": ("card,account,price\n", 1, "the column price is not for cards, plates, phones and vouchers"),
    "another mixture": ("product,name,card\n", 1, "the column card is not for a product"),
    "no price": ("price_of,from\n", 1, "the column price is needed beside price_of"),
    "a price of zero": ("price_of,price\ndiesel,0\n", 2, "expected a price above zero"),
    "no moment": ("price_of,price,from\ndiesel,4,2026-01-01\n", 2, "has no offset"),
    "no unit": ("product,name,unit\ndiesel,Diesel,gallon\n", 2, "'gallon': expected l or m3 or kg"),
    "no name": ("product,name\ndiesel,\n", 2, "the column name is empty"),
    "no rule": ("rule,file\nopet,nowhere.toml\n", 2, "the rule's file nowhere.toml cannot be read"),
    "no token": ("card,plate,account\n,,ACME\n", 2, "fill one of these columns"),
    "blank tokens": ("card,plate,account\n  , ,ACME\n", 2, "fill one of these columns"),
    "two tokens": (f"card,plate,account\n{CARD_NUMBER},34ABC123,ACME\n", 2, "fill one of these columns"),
    "no account": (f"card,account\n{CARD_NUMBER},\n", 2, "account: empty: say who pays"),
    "no card number": ("card,account\n12AB,ACME\n", 2, "8 to 19 digits"),
    "no plate": ("plate,account\n34/1,ACME\n", 2, "is not a plate"),
    "no phone": ("phone,account\n0532 000 00 01,ACME\n", 2, "a phone number has its country's code"),
    "the third line": (f"card,account\n{CARD_NUMBER},ACME\n12AB,ACME\n", 3, "8 to 19 digits"),
    "after an empty line": (f"card,account\n{CARD_NUMBER},ACME\n\n12AB,ACME\n", 4, "8 to 19 digits"),
    "an unknown status": (f"card,account,status\n{CARD_NUMBER},A,gone\n", 2, "'gone': expected active or stopped"),
    "a wrong day": (f"card,account,valid_from\n{CARD_NUMBER},A,31.12.2026\n", 2, "expected a day such as 2026-12-31"),
    "a day that is none": (f"card,account,valid_until\n{CARD_NUMBER},A,2026-02-30\n", 2, "expected a day such as"),
    "maybe": (f"card,account,ask_odometer\n{CARD_NUMBER},A,maybe\n", 2, "ask_odometer: 'maybe': expected yes or no"),
    "a limit of zero": (f"card,account,day_volume\n{CARD_NUMBER},A,0\n", 2, "or nothing for no limit"),
    "a limit below zero": (f"card,account,day_volume\n{CARD_NUMBER},A,-5\n", 2, "expected a number above zero"),
    "too many decimals": (f"card,account,fill_amount\n{CARD_NUMBER},A,1.005\n", 2, "at most 2 decimals"),
    "a decimal comma": (f'card,account,fill_amount\n{CARD_NUMBER},A,"1,5"\n', 2, "not a plain decimal number"),
    "an absurd limit": (f"card,account,day_volume\n{CARD_NUMBER},A,{'9' * 30}\n", 2, "expected a number above zero"),
    "half a fill": (f"card,account,day_fills\n{CARD_NUMBER},A,1.5\n", 2, "expected a whole number from 1"),
    "too many fills": (f"card,account,day_fills\n{CARD_NUMBER},A,{'9' * 9_000}\n", 2, "expected a whole number from 1"),
    "no hours": (f"card,account,hours\n{CARD_NUMBER},A,always\n", 2, "expected days and hours such as"),
    "a strange day": (f"card,account,hours\n{CARD_NUMBER},A,mon-xyz 06:00-07:00\n", 2, "expected days and hours"),
    "a late hour": (f"card,account,hours\n{CARD_NUMBER},A,mon 06:00-24:01\n", 2, "from 00:00 to 24:00"),
    "a PIN as verifier": (f"card,account,pin_verifier\n{CARD_NUMBER},A,4711\n", 2, "a PIN's verifier is"),
    "no driver": (f"card,account,drivers\n{CARD_NUMBER},A,?!\n", 2, "a driver's code has"),
    "a long account": (f"card,account\n{CARD_NUMBER},{'x' * 65}\n", 2, "has more than 64 letters"),
    "an unquoted comma": (f"card,products,account\n{CARD_NUMBER},diesel,gasoline,A\n", 2, "more fields than in the"),
    "a line cut off": (f"card,account,day_volume\n{CARD_NUMBER},ACME", 2, "was the file cut off?"),
    "an endless field": (f"card,account\n{CARD_NUMBER},{'x' * 200_000}\n", 2, "field larger than field limit"),
    "an open quote": (
        f'card,account\n{CARD_NUMBER},"A\n9001000000000001,B"\n',
        2,
        "opened and not closed on this line",
    ),
    "a quote within": (f'card,account\n{CARD_NUMBER},"A"B\n', 2, "expected after"),
    "commas only": ("card,account\n,\n", 2, "fill one of these columns"),
}


def names_of(bad: BadLine | BadLines) -> list[BadLine]:
    return list(bad.bad) if isinstance(bad, BadLines) else [bad]


@pytest.mark.parametrize(("text", "line", "what"), BAD.values(), ids=BAD)
def test_a_bad_line_is_named_and_the_old_list_stands(tmp_path: Path, text: str, line: int, what: str) -> None:
    path = tmp_path / "whitelist.db"
    build(path, [ListRow(CARD.key, TokenKind.CARD, Status.ACTIVE, "OLD")], 1)
    before = path.read_bytes()
    source = tmp_path / "cards.csv"
    source.write_text(text)
    with pytest.raises((BadLine, BadLines)) as caught:
        import_files(path, [source], WAY, FROM_HERE)
    assert caught.type in (BadLine, BadLines)
    first = names_of(caught.value)[0]  # type: ignore[arg-type]  # one of the two, as asserted
    assert first.line == line
    assert str(caught.value).startswith(f"{source}, line {line}: ")
    assert what in str(caught.value)
    assert path.read_bytes() == before
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["cards.csv", "whitelist.db", "whitelist.db.lock"]


BAD_JSON = {
    "no object": ("[1]", "Expected `object`"),
    "half an object": ('{"card": "', "Input data was truncated"),
    "an object within": (f'{{"card": "{CARD_NUMBER}", "account": {{}}}}', "account: expected a text, a number"),
    "an unknown field": ('{"limit": 1}', "unknown column limit"),
    "no account": (f'{{"card": "{CARD_NUMBER}"}}', "the column account is needed"),
}


@pytest.mark.parametrize(("line", "what"), BAD_JSON.values(), ids=BAD_JSON)
def test_a_bad_line_of_json_is_named(tmp_path: Path, line: str, what: str) -> None:
    good = json.dumps({"card": CARD_NUMBER, "account": "A"})
    with pytest.raises(BadLines) as caught:
        rows_of(tmp_path, f"{good}\n\n{line}\n", "cards.jsonl")
    assert [bad.line for bad in caught.value.bad] == [3]
    assert what in str(caught.value)


def test_a_rule_that_nobody_could_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_text("earn = = 1")
    source = tmp_path / "rules.csv"
    source.write_text("rule,file\nopet-kart,broken.toml\n")
    with pytest.raises(BadLines, match=r"line 2: the rule.s file broken\.toml: not TOML"):
        import_files(tmp_path / "whitelist.db", [source], WAY, FROM_HERE)


def test_a_rule_that_counts_in_other_money_than_the_list_is_refused(tmp_path: Path) -> None:
    (tmp_path / "petrolimex.toml").write_text(shipped_text("petrolimex-id"))
    source = tmp_path / "rules.csv"
    source.write_text("rule,file\npetrolimex-id,petrolimex.toml\n")
    with pytest.raises(BadLines, match="counts in VND, and this list in TRY"):
        import_files(tmp_path / "whitelist.db", [source], WAY, FROM_HERE)


def test_a_rule_of_another_programme_or_with_an_unknown_key_is_refused(tmp_path: Path) -> None:
    text = shipped_text("opet-kart")
    (tmp_path / "opet.toml").write_text(text)
    (tmp_path / "typo.toml").write_text(text.replace("[[earn]]", "[[earns]]"))
    source = tmp_path / "rules.csv"
    source.write_text("rule,file\nlpg-pass,opet.toml\nopet-kart,typo.toml\n")
    with pytest.raises(BadLines) as caught:
        import_files(tmp_path / "whitelist.db", [source], WAY, FROM_HERE)
    assert [bad.line for bad in caught.value.bad] == [2, 3]
    assert "is of the programme opet-kart, not of lpg-pass" in str(caught.value)
    assert "earns: there is no such key" in str(caught.value)


def test_all_bad_lines_are_named_in_order(tmp_path: Path) -> None:
    lines = [f"{number},A" if number % 3 else "?,A" for number in range(10_000_000, 10_000_030)]
    with pytest.raises(BadLines) as caught:
        rows_of(tmp_path, "\n".join(["card,account", *lines]))
    expected = [line for line, text in enumerate(lines, 2) if text.startswith("?")]
    assert [bad.line for bad in caught.value.bad] == expected
    assert str(caught.value).count("\n") == len(expected) - 1


def test_the_wrong_file_is_not_named_line_by_line_to_its_end(tmp_path: Path) -> None:
    source = tmp_path / "cards.csv"
    source.write_text("card,account\n" + "nonsense,A\n" * 1_000)
    with pytest.raises(BadLines) as caught:
        import_files(tmp_path / "whitelist.db", [source], WAY, FROM_HERE)
    assert len(caught.value.bad) == BAD_LINES_MAX
    assert str(caught.value).endswith(f"only the first {BAD_LINES_MAX} are named")


def test_a_file_in_another_alphabet_is_named_with_its_line(tmp_path: Path) -> None:
    good = "".join(f"{number},ACME\n" for number in range(10_000_000, 10_003_000))
    with pytest.raises(BadLines, match="line 3002: not UTF-8 text"):
        rows_of(tmp_path, f"card,account\n{good}".encode() + "77777777,ŞİRKET\n".encode("iso8859-9"))


def test_a_token_twice_is_named_by_both_its_lines(tmp_path: Path) -> None:
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_text(f"card,account\n10000001,A\n\n{CARD_NUMBER},A\n")
    second.write_text(f"account,card\nB,10000002\nB,{CARD_NUMBER[:4]} {CARD_NUMBER[4:]}\n")
    with pytest.raises(BadLines) as caught:
        import_files(tmp_path / "whitelist.db", [first, second], WAY, FROM_HERE)
    assert str(caught.value) == f"{second}, line 3: this stands in the list already, at line 4 of {first}"
    assert not (tmp_path / "whitelist.db").exists()


def test_money_goes_by_the_stations_currency(tmp_path: Path) -> None:
    source = tmp_path / "cards.csv"
    source.write_text(f"card,account,day_amount\n{CARD_NUMBER},ACME,2000000\n")
    (made,) = read_csv(source, SECRET, DONG, ZONE)
    assert made.day_minor == 2_000_000
    source.write_text(f"card,account,day_amount\n{CARD_NUMBER},ACME,2000000.50\n")
    with pytest.raises(BadLines, match="at most 0 decimals"):
        list(read_csv(source, SECRET, DONG, ZONE))


@given(
    st.lists(st.sampled_from(["10000001,A", "10000002,B", "", '10000003,"C"', "?,D", '1,"E']), max_size=12),
    st.integers(1, 40),
)
def test_however_a_file_is_cut_into_blocks_it_says_the_same(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], size: int
) -> None:
    source = tmp_path_factory.getbasetemp() / "blocks.csv"
    source.write_text("\n".join(["card,account", *lines]))
    columns = WAY.columns(source.parent)
    whole = [read_block(block, columns) for block in blocks(source, columns)]
    parts = [read_block(block, columns) for block in blocks(source, columns, size)]
    for of_whole, of_parts in ((whole, parts),):
        assert [entry for entries, _ in of_parts for entry in entries] == [
            e for entries, _ in of_whole for e in entries
        ]
        assert [str(bad) for _, wrong in of_parts for bad in wrong] == [
            str(bad) for _, wrong in of_whole for bad in wrong
        ]


def test_many_runs_and_processes_make_the_same_list_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "cards.csv"
    source.write_text(
        "card,account,products,week_fills\n"
        + "".join(f"{number},FLEET-{number % 7},diesel,{number % 9 + 1}\n" for number in range(10_000_000, 10_004_000))
    )
    seen: list[tuple[str, int, int]] = []

    def note(*progress: Any) -> None:
        seen.append(progress)

    alone = import_files(tmp_path / "alone.db", [source], WAY, FROM_HERE, note)
    monkeypatch.setattr(whitelist_import, "ALONE_BYTES", 0)
    monkeypatch.setattr("controller.store.whitelist_lines.BLOCK_BYTES", 10_000)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr(whitelist_import, "blocks", lambda path, columns: blocks(path, columns, 10_000))
    apart = import_files(tmp_path / "apart.db", [source], WAY, FROM_HERE, note)
    assert alone == apart
    assert alone.count == 4_000
    one, other = open_to_read(tmp_path / "alone.db"), open_to_read(tmp_path / "apart.db")
    assert digests_of(one) == digests_of(other)
    one.close()
    other.close()
    for what in ("reading", "writing"):
        done = [(at, out_of) for name, at, out_of in seen if name == what]
        assert done[-1][0] == done[-1][1]
    listed = Whitelist(tmp_path / "apart.db")
    row = listed.look_up(card_token(SECRET, "10002000", Assurance.PROVEN).key).row
    listed.close()
    assert row is not None
    assert row.account == f"FLEET-{10_002_000 % 7}"
    assert not list(tmp_path.glob("*.runs"))


def test_bad_lines_of_other_processes_are_named_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "cards.csv"
    source.write_text("card,account\n10000001,A\n?,A\n10000002,A\n?,A\n")
    monkeypatch.setattr(whitelist_import, "ALONE_BYTES", 0)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    with pytest.raises(BadLines) as caught:
        import_files(tmp_path / "whitelist.db", [source], WAY, FROM_HERE)
    assert [bad.line for bad in caught.value.bad] == [3, 5]
