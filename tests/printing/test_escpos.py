"""What is encoded for a printer is what the printer shows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.receipt import Align, Line, ReceiptSite, receipt_lines, receipt_text
from controller.printing import escpos
from controller.printing.escpos import MODELS, PrinterModel, StatusKind, lost, printable, slip_bytes, status_request
from sim.printer import STATUS_FINE, STATUS_NO_PAPER, PrintedSlip, PrinterTwin
from tests.printing.samples import TURKISH, UKRAINIAN, VIETNAMESE, sample_receipt

models = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
widths = pytest.mark.parametrize("width", [32, 42, 48])


def shown(data: bytes, model: PrinterModel, width: int = 42, *, step: int = 0) -> PrintedSlip:
    """The one slip that the twin printed, fed whole or in steps."""
    twin = PrinterTwin(model, width)
    pieces = [data[at : at + step] for at in range(0, len(data), step)] if step else [data]
    slips = [slip for piece in pieces for slip in twin.feed(piece)]
    assert twin.complaints == []
    assert len(slips) == 1
    return slips[0]


@models
@widths
@pytest.mark.parametrize("site", [TURKISH, UKRAINIAN])
@pytest.mark.parametrize("step", [0, 1])
def test_turkish_and_ukrainian_receipts_come_out_letter_for_letter(
    model: PrinterModel, width: int, site: ReceiptSite, step: int
) -> None:
    lines = receipt_lines(sample_receipt(site), width)
    slip = shown(slip_bytes(lines, model, width), model, width, step=step)
    assert slip.lines == lines
    assert slip.text == receipt_text(lines, width)


@models
def test_vietnamese_comes_out_without_its_marks_and_nothing_is_lost(model: PrinterModel) -> None:
    lines = receipt_lines(sample_receipt(VIETNAMESE))
    text = shown(slip_bytes(lines, model, 42), model).text
    assert "Tram xang Duong So 9" in text
    assert "?" not in text
    assert escpos.UNPRINTABLE not in text
    assert len(text.splitlines()) == len(lines)


def test_each_language_uses_its_own_pages() -> None:
    assert pages("İstanbul", "epson") == [13]
    assert pages("Київ", "epson") == [44]
    assert pages("İstanbul", "generic") == [48]
    assert pages("Київ", "generic") == [46]
    assert pages("plain ASCII", "epson") == []
    assert pages("Şişli İstanbul 34 Київ вул", "epson") == [13, 44]


def test_a_word_is_printed_whole_in_one_page() -> None:
    # No DOS page has both « and ї: the whole word moves to the Windows page that does.
    assert pages("«Київ»", "epson") == [46]


def test_a_generic_printer_leaves_two_byte_mode_first() -> None:
    assert slip_bytes([], MODELS["generic"], 42).startswith(b"\x1b@\x1c.")
    assert slip_bytes([], MODELS["epson"], 42) == b"\x1b@\x1dV\x42\x00"


@models
def test_currency_signs_are_spelled(model: PrinterModel) -> None:
    assert printable("100₺ 100₴ 100₫", model) == "100TL 100грн 100VND"


def test_a_printer_that_has_the_letter_writes_dong_as_people_do() -> None:
    central = PrinterModel("central", (escpos.CodePage(39, "iso8859_2"),), escpos.RESET)
    assert printable("23000₫", central) == "23000đ"


@models
def test_what_cannot_be_shown_is_marked_and_named(model: PrinterModel) -> None:
    assert printable("加油 7?", model) == "## 7?"
    assert lost("加油 7?#", model) == ("加", "油")


@models
def test_a_text_cannot_give_the_printer_orders(model: PrinterModel) -> None:
    data = slip_bytes([Line("a\x1b@\x1dV\x10\x04\x01\nb\x7f\x85")], model, 42)
    assert shown(data, model).text == "a @ V    b\n"


def test_columns_stay_aligned_when_spelling_lengthens_a_line() -> None:
    line = Line("Straße 10₺" + "1.00".rjust(32))
    slip = shown(slip_bytes([line], MODELS["epson"], 42), MODELS["epson"])
    assert [line.text for line in slip.lines] == ["Straße 10TL" + "1.00".rjust(31)]


def test_the_drawer_opens_only_when_asked() -> None:
    twin = PrinterTwin(MODELS["epson"], 42)
    twin.feed(slip_bytes([Line("cash")], twin.model, 42, drawer=True))
    twin.feed(slip_bytes([Line("card")], twin.model, 42))
    assert twin.drawer_kicks == 1


def test_the_printer_answers_for_its_paper() -> None:
    twin = PrinterTwin(MODELS["epson"], 42)
    twin.feed(status_request(StatusKind.PAPER))
    twin.paper = False
    twin.feed(status_request(StatusKind.PAPER))
    assert twin.take_replies() == bytes((STATUS_FINE, STATUS_FINE | STATUS_NO_PAPER))
    assert twin.take_replies() == b""


def test_the_twin_complains_of_what_a_printer_would_print_as_rubbish() -> None:
    twin = PrinterTwin(MODELS["generic"], 42)
    twin.feed(b"\x1bz\x1bt\x0d\x1ba\x09\x00")
    assert twin.complaints == [
        "unknown command 1b 7a",
        "this generic printer has no code page 13",
        "command 1b 61 with the value 9",
        "byte 00 is no letter of cp437",
    ]


def test_the_twin_feeds_and_wraps_like_paper() -> None:
    twin = PrinterTwin(MODELS["epson"], 4)
    (slip,) = twin.feed(b"abcdef\n" + escpos.feed_bytes(2) + b"g" + slip_bytes([], twin.model, 4)[2:])
    assert slip.text == "abcd\nef\n\n\ng\n"


lines = st.builds(Line, st.text(max_size=60), st.sampled_from(Align), st.booleans(), st.booleans())


@given(st.lists(lines, max_size=8), st.sampled_from(list(MODELS.values())), st.sampled_from((32, 42, 48)))
def test_any_text_prints_and_only_its_own_question_marks_are_shown(
    wanted: list[Line], model: PrinterModel, width: int
) -> None:
    slip = shown(slip_bytes(wanted, model, width), model, width)
    assert "".join(line.text for line in slip.lines).replace(" ", "") == "".join(
        printable(line.text, model) for line in wanted
    ).replace(" ", "")
    assert slip.text.count("?") <= sum(text_marks(line.text) for line in wanted)
    assert all(len(line.text) <= line.cells(width) for line in slip.lines)


@given(st.text(), st.sampled_from(list(MODELS.values())))
def test_what_is_printable_is_printed_unchanged(text: str, model: PrinterModel) -> None:
    once = printable(text, model)
    assert printable(once, model) == once


@given(st.binary(), st.sampled_from(list(MODELS.values())))
def test_no_bytes_upset_the_twin(data: bytes, model: PrinterModel) -> None:
    whole, split = PrinterTwin(model, 42), PrinterTwin(model, 42)
    assert whole.feed(data) == tuple(slip for at in range(len(data)) for slip in split.feed(data[at : at + 1]))


def pages(text: str, model: str) -> list[int]:
    """The code pages that the encoder selects for a text, in order."""
    parts = slip_bytes([Line(text)], MODELS[model], 42).split(escpos.SELECT_PAGE)
    return [part[0] for part in parts[1:]]


def text_marks(text: str) -> int:
    """Question marks of a text's own, also such as "⁇", which is two of them in one letter."""
    return sum(printable(letter, MODELS["epson"]).count("?") for letter in text)
