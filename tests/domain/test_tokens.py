"""Cards and plates: what is typed is compared as it is meant, and what is kept or shown gives nobody away."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.tokens import (
    HIDDEN_OF_PLATE,
    KEY_BYTES,
    Assurance,
    KeyedHash,
    TokenKind,
    card_token,
    check_card_number,
    fold_phone,
    fold_plate,
    list_key_print,
    mask_card,
    mask_phone,
    mask_plate,
    phone_token,
    plate_token,
    token_key,
)

SECRET = b"\x07" * 32
plates = st.text("ABCEHIKMOPTXYZ0123456789", min_size=1, max_size=16)
card_numbers = st.text("0123456789", min_size=8, max_size=19)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("34 ABC 123", "34ABC123"),
        ("34-abc-123", "34ABC123"),
        ("16 sim 401", "16SIM401"),
        ("16 sım 401", "16SIM401"),  # Turkish dotless i
        ("16 SİM 401", "16SIM401"),  # Turkish capital with a dot
        ("АА 1234 ВВ", "AA1234BB"),  # all Cyrillic
        ("аа 1234 вв", "AA1234BB"),
        ("KА 0001 ІC", "KA0001IC"),  # mixed, as typed in a hurry
        ("51F-123.45", "51F12345"),
        ("іЇі", "III"),
        ("AE—1234 ТХ", "AE1234TX"),  # a long dash
        ("ВН1234СК", "BH1234CK"),
        ("ак 12-34 мо", "AK1234MO"),  # small Cyrillic letters, of which some look like no Latin ones
        ("29-B1 123.45", "29B112345"),
        ("29 b1-12345", "29B112345"),
        ("29-MĐ1 123.45", "29MĐ112345"),  # a letter of its own, not a D
        ("29-mđ1 123.45", "29MĐ112345"),
        ("29-MÐ1 123.45", "29MĐ112345"),  # looks the same, and is Icelandic
        ("34 si\u0307m 1", "34SIM1"),  # what lower case makes of a dotted capital
        ("34\u00a0ABC\u200b123", "34ABC123"),  # spaces that a web page brings along
        ("ＡＢ１２", "AB12"),  # full width
        ("DİPLOMATİK 1", "DIPLOMATIK1"),  # of no form at all
    ],
)
def test_a_plate_is_compared_as_it_is_meant(typed: str, meant: str) -> None:
    assert fold_plate(typed) == meant


def test_all_letters_of_ukrainian_plates_are_one_in_both_alphabets() -> None:
    assert fold_plate("АВЕІКМНОРСТХ") == fold_plate("авеікмнорстх") == fold_plate("abeikmhopctx") == "ABEIKMHOPCTX"


@pytest.mark.parametrize("typed", ["+905320000001", "0090 532 000 00 01", "+90 (532) 000-00-01", "+90.532.000.0001"])
def test_a_phone_is_compared_as_it_is_meant(typed: str) -> None:
    assert fold_phone(typed) == "+905320000001"


@pytest.mark.parametrize("typed", ["", "+", "0532 000 00 01", "+90 532", "+90 532 000 00 01 00 00 00", "+90532x000001"])
def test_what_cannot_be_a_phone_is_refused_and_not_repeated(typed: str) -> None:
    with pytest.raises(ValueError, match="a phone number has its country's code") as caught:
        fold_phone(typed)
    assert len(typed) < 2 or typed not in str(caught.value)


@given(st.binary(min_size=1, max_size=100), st.sampled_from(TokenKind), st.text(max_size=40))
def test_many_keys_are_hashed_as_one_is(secret: bytes, kind: TokenKind, value: str) -> None:
    assert KeyedHash(secret, kind).of(value) == token_key(secret, kind, value)


def test_a_list_key_is_known_by_its_print_and_not_found_from_it() -> None:
    assert list_key_print(SECRET) == list_key_print(bytes(SECRET)) != list_key_print(b"\x08" * 32)
    assert SECRET.hex()[:8] not in list_key_print(SECRET)


def test_a_plate_typed_in_either_alphabet_is_the_same_token() -> None:
    assert plate_token(SECRET, "АА 1234 ВВ") == plate_token(SECRET, "aa1234bb")


@pytest.mark.parametrize("typed", ["", "  ", "-.-", "34 ABC/123", "34;DROP", "A" * 17, "34\n123", "34’ABC"])
def test_what_cannot_be_a_plate_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match="is not a plate"):
        fold_plate(typed)


@given(st.text(max_size=20))
def test_folding_again_changes_nothing(typed: str) -> None:
    try:
        once = fold_plate(typed)
    except ValueError:
        return
    assert fold_plate(once) == once


@pytest.mark.parametrize("typed", ["", "1234567", "1" * 20, "12345678a", "１２３４５６７８", "1234-5678", "٣٤٥٦٧٨٩٠"])
def test_what_cannot_be_a_card_number_is_refused_without_repeating_it(typed: str) -> None:
    with pytest.raises(ValueError, match="digits and nothing else") as caught:
        check_card_number(typed)
    assert not typed or typed not in str(caught.value)


def test_a_card_number_may_be_typed_in_groups() -> None:
    assert check_card_number("7821 0000 0000 0012") == "7821000000000012"


@given(plates)
def test_a_masked_plate_hides_at_least_three_letters_or_all(plate: str) -> None:
    shown = mask_plate(plate)
    assert len(shown) == len(plate)
    assert shown.count("*") >= min(HIDDEN_OF_PLATE, len(plate))
    assert all(letter in ("*", plate[index]) for index, letter in enumerate(shown))


@pytest.mark.parametrize(
    ("plate", "shown"),
    [("34ABC123", "34****23"), ("06AB123", "06***23"), ("BOSS", "****"), ("AB1", "***"), ("ABC12", "A***2")],
)
def test_a_masked_plate_is_known_again_by_its_driver(plate: str, shown: str) -> None:
    assert mask_plate(plate) == shown


@given(card_numbers)
def test_a_masked_card_never_shows_more_than_the_first_six_and_last_four(number: str) -> None:
    shown = mask_card(number)
    assert len(shown) == len(number)
    hidden = shown.count("*")
    assert hidden >= len(number) - 10
    assert hidden >= 3
    assert shown[-4:] == number[-4:]


@given(card_numbers)
def test_neither_a_number_nor_its_plain_hash_stands_in_a_token(number: str) -> None:
    token = card_token(SECRET, number, Assurance.PROVEN)
    assert number not in repr(token)
    assert len(token.key) == KEY_BYTES
    assert token.key != token_key(b"", TokenKind.CARD, number)
    assert token.key != token_key(b"\x08" * 32, TokenKind.CARD, number)


def test_the_same_text_as_card_and_as_plate_is_not_the_same_key() -> None:
    assert token_key(SECRET, TokenKind.CARD, "12345678") != token_key(SECRET, TokenKind.PLATE, "12345678")


def test_keys_stay_what_they_are_in_lists_that_were_made_before() -> None:
    assert token_key(SECRET, TokenKind.PLATE, "34ABC123").hex() == "cdb3a10046c883ef"
    assert token_key(SECRET, TokenKind.CARD, "7821000000000012").hex() == "c830bea137735273"


def test_a_plate_is_only_ever_identified() -> None:
    assert plate_token(SECRET, "34ABC123").assurance is Assurance.IDENTIFIED


@pytest.mark.parametrize("phone", ["+905321112233", "+8490123456789", "+123456789012345", "+12345678", "1234", ""])
def test_a_masked_phone_shows_no_more_than_its_last_four_digits(phone: str) -> None:
    shown = mask_phone(phone)
    assert len(shown) == len(phone)
    clear = shown.lstrip("*")
    assert len(clear) == min(4, len(phone) // 2)
    assert phone.endswith(clear)


def test_a_typed_phone_is_shown_by_its_last_four_digits_however_long_it_is() -> None:
    assert phone_token(bytes(32), "+84 90 1234 56789").shown == "*********6789"
