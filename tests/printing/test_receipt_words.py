"""A receipt speaks one language, wholly, and fits its paper in each."""

from dataclasses import fields, replace

import pytest

from controller.domain.programmes.reasons import Reason
from controller.domain.quantities import CURRENCIES
from controller.domain.receipt import receipt_lines, receipt_text
from controller.domain.receipt_programme import ReceiptProgramme, programme_rows
from controller.domain.receipt_words import EN, WORDS, ReceiptWords
from controller.domain.records import TenderKind
from controller.domain.tokens import TokenKind
from controller.domain.vat import VatRate, split
from tests.printing.samples import TURKISH, sample_receipt

FULL = ReceiptProgramme(
    "Opet Kart", 0, 12_345, 7, Reason.NOT_VERIFIED, 1_234, "2026-01-01 02:00", provisional=True, counted=True
)
EARNS_NOTHING = set(EN.reasons)


@pytest.mark.parametrize("words", WORDS.values(), ids=list(WORDS))
def test_every_language_has_all_words(words: ReceiptWords) -> None:
    assert set(words.tenders) == set(TenderKind)
    assert set(words.tokens) == set(TokenKind)
    assert set(words.reasons) == EARNS_NOTHING
    assert all(getattr(words, field.name) for field in fields(words))


@pytest.mark.parametrize("words", [WORDS[name] for name in ("tr", "vi", "uk")], ids=["tr", "vi", "uk"])
def test_no_english_word_is_left_in_another_language(words: ReceiptWords) -> None:
    site = replace(TURKISH, words=words, name="", address=())
    vat = split(175_199, VatRate("", 0, 2_000))
    receipt = replace(sample_receipt(site, copy=True, vat=vat, programmes=(FULL,)), simulated=False)
    text = receipt_text(receipt_lines(receipt))
    english = [EN.receipt, EN.time, EN.point, EN.delivery, EN.total, EN.copy, EN.points_spent, EN.rebate, EN.balance]
    english += [EN.provisional, EN.volume_counted, EN.nothing_earned, EN.tenders[TenderKind.CASH], EN.net + " "]
    english += [EN.tokens[TokenKind.CARD] + " ", EN.reasons[Reason.NOT_VERIFIED]]
    assert not [word for word in english if word in text]
    for word in (words.receipt, words.total, words.vat, words.copy, words.reasons[Reason.NOT_VERIFIED]):
        assert word in text


@pytest.mark.parametrize("width", [24, 32, 42, 48])
@pytest.mark.parametrize("words", WORDS.values(), ids=list(WORDS))
def test_no_line_is_wider_than_the_paper(words: ReceiptWords, width: int) -> None:
    vat = split(175_199, VatRate("", 0, 850))
    receipt = sample_receipt(replace(TURKISH, words=words), vat=vat, programmes=(FULL,))
    assert all(len(line.text) <= line.cells(width) for line in receipt_lines(receipt, width))


def test_a_programme_says_only_what_it_has() -> None:
    assert programme_rows(ReceiptProgramme("CNG"), EN, CURRENCIES["UAH"]) == []
    rows = programme_rows(ReceiptProgramme("LPG Pass", rebate_minor=3_000), EN, CURRENCIES["TRY"])
    assert rows == [("Discount, paid after the period", "30.00 TRY")]
    rows = programme_rows(ReceiptProgramme("X", 5, reason=Reason.SALE_CAP), EN, CURRENCIES["TRY"])
    assert rows == [("Points earned", "5"), ("Most points of one sale reached", "")]
