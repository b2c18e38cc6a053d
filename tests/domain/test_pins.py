"""PINs: their verifiers, and the count of wrong tries. Cheap verifiers: what is slow is not tested for being slow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.pins import TRIES, BadVerifier, Pins, check_pin, parse_verifier
from controller.pincheck import COST, make_verifier, verify

SALT = bytes(range(16))
VERIFIER = make_verifier("4711", SALT, cost=2)
KEY = b"card-key"


def test_the_right_pin_is_right_and_any_other_is_wrong() -> None:
    assert verify(VERIFIER, "4711")
    assert verify(VERIFIER, " 4711 ")
    assert not any(verify(VERIFIER, typed) for typed in ("4712", "47110", "471", "", "４７１１", "4711a"))


def test_a_verifier_shows_no_pin_and_differs_by_its_salt() -> None:
    assert "4711" not in VERIFIER
    assert make_verifier("4711", bytes(16), cost=2) != VERIFIER
    assert parse_verifier(make_verifier("4711", SALT)).cost == COST
    assert parse_verifier(VERIFIER).text == VERIFIER


@pytest.mark.parametrize("pin", ["", "123", "12a4", "1234567890123", "-123"])
def test_what_cannot_be_a_pin(pin: str) -> None:
    with pytest.raises(ValueError, match="digits"):
        check_pin(pin)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4711",
        VERIFIER[:-2],
        VERIFIER.replace("scrypt", "argon"),
        VERIFIER.replace("$2$", "$3$"),
        VERIFIER.replace("$2$", f"${2**20}$"),
        VERIFIER.replace("$8$", "$9$"),
        VERIFIER.replace(SALT.hex(), "00"),
        VERIFIER.replace(SALT.hex(), "xx"),
    ],
)
def test_a_verifier_that_cannot_be_read_says_so(text: str) -> None:
    with pytest.raises(BadVerifier, match="verifier"):
        verify(text, "4711")


@given(st.lists(st.booleans(), max_size=8))
def test_wrong_ones_are_counted_in_a_row(tries: list[bool]) -> None:
    pins = Pins()
    for right in tries:
        pins.tried(KEY, 1, right=right)
    in_a_row = next((number for number, right in enumerate(reversed(tries)) if right), len(tries))
    assert pins.wrong(KEY, 1) == in_a_row
    assert pins.wrong(b"somebody", 1) == 0


def test_a_newer_pin_begins_anew_and_an_older_list_does_not() -> None:
    pins = Pins()
    for _ in range(TRIES):
        pins.tried(KEY, 5, right=False)
    assert pins.wrong(KEY, 5) == TRIES
    assert pins.wrong(KEY, 4) == TRIES, "an old list unlocks nothing"
    assert pins.wrong(KEY, 6) == 0
    pins.tried(KEY, 6, right=False)
    assert pins.wrong(KEY, 6) == 1
    pins.unlocked(KEY)
    assert pins.wrong(KEY, 6) == 0


def test_the_larger_count_holds_and_what_is_over_on_the_card_is_forgiven() -> None:
    pins = Pins()
    assert pins.wrong(KEY, 1, on_card=2) == 2
    pins.tried(KEY, 1, right=False, wrong=3, on_card=2)
    assert pins.wrong(KEY, 1) == 3, "the two of elsewhere, and this one"
    pins.tried(KEY, 1, right=True, on_card=2)
    assert pins.wrong(KEY, 1, on_card=2) == 0, "the card was not told that it was right"
    assert pins.wrong(KEY, 1, on_card=3) == 1, "and one more since, elsewhere"
    pins.noted(KEY)
    assert pins.wrong(KEY, 1, on_card=1) == 1, "it was told, and counts anew"


def test_an_unlocked_card_is_asked_whatever_it_counts() -> None:
    pins = Pins()
    pins.unlocked(KEY)
    assert pins.wrong(KEY, 1, on_card=TRIES) == 0
    pins.tried(KEY, 1, right=False, wrong=1, on_card=TRIES)
    assert pins.wrong(KEY, 1, on_card=TRIES) == 1
    pins.noted(KEY)
    assert pins.wrong(KEY, 1, on_card=TRIES) == TRIES
