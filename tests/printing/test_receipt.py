"""A receipt says what was sold, exactly, on paper of any width."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.reasons import LIMIT_NAMES
from controller.domain.receipt import Line, local_time_text, receipt_lines, receipt_of, receipt_text
from controller.domain.receipt_words import WORDS, ReceiptWords
from controller.domain.records import RowName
from tests.printing.samples import (
    DELIVERY,
    NAME,
    SETTLEMENT,
    TURKISH,
    UKRAINIAN,
    VIETNAMESE,
    WALL_MS,
    sample_receipt,
)

EXPECTED = """\
                SIMULATION
             Yıldız Akaryakıt
          Atatürk Caddesi No. 12
             Şişli, İstanbul
            Ğğ Üü Şş İı Öö Çç
------------------------------------------
Receipt                             000123
Time            2026-03-01 14:05:09 +03:00
Fuelling point                           3
Delivery             0123456789abcdef-4711
Card                      123456******1234
------------------------------------------
Motorin (kükürtsüz)
40.00 l x 43.79 TRY/l              1751.99
------------------------------------------
TOTAL     1751.99 TRY
Bank card                          1000.00
Cash                                800.00
Change                               48.01
                SIMULATION
"""


def test_the_text_copy_is_the_receipt_as_it_is_read() -> None:
    assert receipt_text(receipt_lines(sample_receipt())) == EXPECTED


def test_a_real_receipt_does_not_say_simulation() -> None:
    assert "SIMULATION" not in receipt_text(receipt_lines(sample_receipt(UKRAINIAN)))


@pytest.mark.parametrize("width", [32, 42, 48])
def test_a_copy_says_so_at_both_ends(width: int) -> None:
    texts = [line.text for line in receipt_lines(sample_receipt(copy=True), width)]
    assert texts[:2] == ["SIMULATION", "COPY"]
    assert texts[-2:] == ["SIMULATION", "COPY"]


def test_dong_have_no_decimals_and_prices_in_thousands_are_spelled_out() -> None:
    delivery = msgspec.structs.replace(
        DELIVERY, price=msgspec.structs.replace(DELIVERY.price, value=23, exponent=-3), amount_minor=920_207
    )
    settlement = msgspec.structs.replace(SETTLEMENT, amount_minor=920_207, tenders=())
    text = receipt_text(receipt_lines(receipt_of(delivery, NAME, settlement, VIETNAMESE, wall_ms=WALL_MS)))
    assert "40.00 l x 23000 VND/l               920207\n" in text
    assert "920207 VND" in text


def test_a_grade_without_a_name_is_printed_by_its_code() -> None:
    assert sample_receipt(VIETNAMESE).grade == "diesel"


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
def test_the_limit_of_a_partial_approval_is_named(words: ReceiptWords) -> None:
    for name in (*LIMIT_NAMES, "purse", "vehicle_week", "offline_account_month"):
        receipt = sample_receipt(held_by=name, words=words)
        text = receipt_text(receipt_lines(receipt))
        assert (words.limits.label in text) is (name != "preset"), name
    assert words.limits.label not in receipt_text(receipt_lines(sample_receipt(words=words)))


def test_the_limit_of_a_delivery_stands_below_its_card() -> None:
    delivery = msgspec.structs.replace(DELIVERY, held_by="account_month")
    text = receipt_text(receipt_lines(receipt_of(delivery, NAME, SETTLEMENT, TURKISH, wall_ms=WALL_MS)))
    assert "123456******1234\nLimited by           month limit (account)\n---" in text


def test_a_settlement_of_another_delivery_is_refused() -> None:
    with pytest.raises(ValueError, match="not 0123456789abcdef-1"):
        receipt_of(DELIVERY, RowName(NAME.epoch, 1), SETTLEMENT, TURKISH, wall_ms=WALL_MS)


def test_paper_too_narrow_for_any_receipt_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 24 columns"):
        receipt_lines(sample_receipt(), 20)


def test_the_hour_that_comes_twice_shows_which_one_it_was() -> None:
    first = 1_792_888_200_000  # 2026-10-25 00:30 UTC, half an hour before Kyiv leaves summer time
    assert local_time_text(first, UKRAINIAN.zone) == "2026-10-25 03:30:00 +03:00"
    assert local_time_text(first + 3_600_000, UKRAINIAN.zone) == "2026-10-25 03:30:00 +02:00"


@pytest.mark.parametrize("site", [TURKISH, UKRAINIAN, VIETNAMESE])
@pytest.mark.parametrize("width", [24, 32, 42, 48])
def test_no_line_is_longer_than_its_paper(site: object, width: int) -> None:
    assert all(fits(line, width) for line in receipt_lines(sample_receipt(site), width))  # type: ignore[arg-type]


@given(
    st.text(), st.lists(st.text(), max_size=3), st.text(), st.integers(0, 10**30), st.sampled_from((24, 32, 42, 48, 57))
)
def test_whatever_the_site_is_called_its_receipt_fits(
    station: str, address: list[str], grade: str, amount: int, width: int
) -> None:
    receipt = sample_receipt(
        station=station, address=tuple(address), grade=grade, amount_minor=amount, total_minor=amount
    )
    assert all(fits(line, width) for line in receipt_lines(receipt, width))


def fits(line: Line, width: int) -> bool:
    return len(line.text) <= line.cells(width) and "\n" not in line.text
