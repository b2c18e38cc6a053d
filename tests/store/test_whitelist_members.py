"""The columns of fuel programmes: each is read, shown by its name, and refused where it makes no sense."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from controller.domain.list_entries import decode_entry
from controller.domain.lists import ListRow
from controller.domain.memberships import MEMBER_COLUMNS, Membership, PurseState
from controller.domain.quantities import CURRENCIES
from controller.domain.tokens import TokenKind, fold_plate, token_key
from controller.office.whitelist_text import row_lines
from controller.store.whitelist_columns import Columns, Meaning
from controller.store.whitelist_import import read_csv
from controller.store.whitelist_lines import BadLines

SECRET = b"\x07" * 32
ZONE = ZoneInfo("Europe/Istanbul")
LIRA = CURRENCIES["TRY"]
CARD_NUMBER = "7821000000000012"
TEXTS = {
    "programme": "opet-kart",
    "holder": "M1",
    "product_set": "lpg",
    "contract_valid": "no",
    "cancelled": "yes",
    "suspended": "yes",
    "verified": "yes",
    "remote": "yes",
    "activated": "yes",
    "organisation": "yes",
    "plates": "34 abc 123; 34ABC124",
    "plates_full": "yes",
    "per_litre": "0.75",
    "percent_bp": "",
    "purses": "petrol:617/600;autogas:-3/-3",
    "as_of": "2026-01-05T10:00:00+03:00",
    "plates_waiting": "34 ABC 125",
    "plates_free": "2",
    "pay_and_go": "yes",
}
HIDDEN = {"plates", "plates_waiting", "percent_bp"}
"""Not shown as they were written: kept as hashes, or not given."""
FULL = Membership(
    "opet-kart",
    "M1",
    "lpg",
    False,
    True,
    True,
    True,
    True,
    True,
    True,
    tuple(token_key(SECRET, TokenKind.PLATE, fold_plate(plate)) for plate in ("34ABC123", "34ABC124")),
    True,
    75,
    0,
    (PurseState("petrol", 617, 600), PurseState("autogas", -3, -3)),
    1_767_596_400_000,
    (token_key(SECRET, TokenKind.PLATE, fold_plate("34ABC125")),),
    2,
    True,
)


def one_row(**columns: str) -> ListRow:
    names = {"card": CARD_NUMBER, "account": "ACME"} | columns
    (entry,) = Columns(Meaning(SECRET, LIRA, ZONE, str)).plan(list(names))([list(names.values())])
    row = decode_entry(entry)
    assert isinstance(row, ListRow)
    return row


def test_every_column_has_an_example() -> None:
    assert tuple(TEXTS) == MEMBER_COLUMNS


def test_all_columns_are_read_in_any_order() -> None:
    assert one_row(**TEXTS).member == FULL
    assert one_row(**dict(reversed(TEXTS.items()))).member == FULL


def test_what_is_not_said_is_the_default() -> None:
    assert one_row(programme="opet-kart", holder="M1").member == Membership("opet-kart", "M1")
    assert one_row(programme="lpg-pass", holder="C1", percent_bp="250").member == Membership(
        "lpg-pass", "C1", percent_bp=250
    )


def test_a_row_without_a_programme_has_none_and_the_bytes_of_before() -> None:
    columns = Columns(Meaning(SECRET, LIRA, ZONE, str))
    plain = columns.plan(["card", "account"])([[CARD_NUMBER, "ACME"]])
    names = ["card", "account", "programme", "holder"]
    assert columns.plan(names)([[CARD_NUMBER, "ACME", "", ""]]) == plain


def test_they_are_shown_by_their_names() -> None:
    shown = dict(row_lines(one_row(**TEXTS), LIRA, ZONE))
    assert {name: shown[name] for name in TEXTS if name not in HIDDEN} == {
        name: text for name, text in TEXTS.items() if name not in HIDDEN
    }
    assert shown["plates"] == "2 (only their hashes are known)"
    assert dict(row_lines(one_row(programme="p", holder="C", percent_bp="250"), LIRA, ZONE))["percent_bp"] == "250"


@pytest.mark.parametrize(
    ("columns", "what"),
    [
        ({"verified": "yes"}, "programme is needed beside verified"),
        ({"programme": "opet-kart"}, "holder is needed beside programme"),
        ({"programme": "", "holder": "M1"}, "holder: stands there without a programme"),
        ({"programme": "opet kart", "holder": "M1"}, "programme: 'opet kart'"),
        ({"programme": "p", "holder": ""}, "holder: expected"),
        ({"programme": "p", "holder": "M1", "verified": "ja"}, "verified: 'ja': expected yes or no"),
        ({"programme": "p", "holder": "M1", "contract_valid": "0"}, "contract_valid: '0'"),
        ({"programme": "p", "holder": "M1", "percent_bp": "10001"}, "percent_bp: '10001'"),
        ({"programme": "p", "holder": "M1", "percent_bp": "-1"}, "percent_bp: '-1'"),
        ({"programme": "p", "holder": "M1", "percent_bp": "1", "per_litre": "1"}, "give one of the two"),
        ({"programme": "p", "holder": "M1", "purses": "petrol:617"}, "purses: 'petrol:617'"),
        ({"programme": "p", "holder": "M1", "plates": "§"}, "plates: '§' is not a plate"),
        ({"programme": "p", "holder": "M1", "as_of": "2026-01-05"}, "as_of: .* has no offset"),
    ],
)
def test_what_makes_no_sense_is_named(columns: dict[str, str], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        one_row(**columns)


def test_a_bad_line_of_a_file_is_named(tmp_path: Path) -> None:
    source = tmp_path / "cards.csv"
    source.write_text(f"card,account,programme,holder,verified\n{CARD_NUMBER},A,p,M1,yes\n7821000000000013,A,p,M1,ja\n")
    with pytest.raises(BadLines, match="line 3: verified: 'ja'"):
        list(read_csv(source, SECRET, LIRA, ZONE))
