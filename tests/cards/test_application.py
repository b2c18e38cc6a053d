"""What lies on a card reads as it was written, and what nobody would write is refused by name."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from card_io import errors
from card_io.application import ALL_PARTS, CardHeader, CardProfile, Part, PurseUnit
from card_io.counters import COUNTERS_LENGTH, CardDebit, Counters, PurseIntent
from card_io.entitlement import ENTITLEMENT_LENGTH, Entitlement, Limits, decode, verified
from card_io.entitlement_form import read_form
from card_io.facts import CardFacts, Purse
from card_io.fills import FILL_LENGTH, CardFill
from card_io.layout import CardLayout
from card_io.octets import DAY_MAX, DAY_ZERO
from card_io.pin import PinVerifier
from card_io.vault import Vault
from tests.cards.bench import NUMBER, UID, seeded
from tests.cards.office import FILL, HEADER, INTENT, VAULT, entitlement

KEYS = (VAULT.public_key,)


def numbers(length: int) -> st.SearchStrategy[int]:
    return st.integers(0, (1 << 8 * length) - 1)


days = st.dates(DAY_ZERO + timedelta(days=1), DAY_MAX)
intents = st.builds(PurseIntent, numbers(4), st.binary(min_size=8, max_size=8), numbers(4), st.integers(1, 2**31 - 1))
debits = st.none() | st.builds(CardDebit, intents, st.sampled_from(["open", "settled"]))
counters = st.builds(
    Counters, numbers(1), days, numbers(1), numbers(4), numbers(5), numbers(4), numbers(5), numbers(3), debits
)
limits = st.builds(Limits, st.none() | numbers(4), st.none() | numbers(5))
pins = st.builds(
    PinVerifier, st.integers(10, 17), st.binary(min_size=8, max_size=8), st.binary(min_size=15, max_size=15)
)
plates = st.lists(st.text("34ABCІЇЖ", min_size=1, max_size=8), max_size=3).map(tuple)
spans = st.tuples(days, days).map(sorted)


@st.composite
def entitlements(draw: st.DrawFn) -> Entitlement:
    first, last = draw(spans)
    return Entitlement(
        draw(st.binary(min_size=7, max_size=7)),
        draw(st.text("0123456789", min_size=8, max_size=19)),
        draw(st.text("ABCXYZ019", min_size=1, max_size=8)),
        draw(numbers(4)),
        first,
        last,
        draw(st.text("abc-_9", min_size=1, max_size=8).filter(lambda name: name.strip("-_") != "")),
        draw(st.text("ABCUAHTRY", min_size=3, max_size=3)),
        draw(limits),
        draw(limits),
        draw(limits),
        draw(plates),
        draw(st.none() | pins),
    )


@given(counters)
def test_counters_read_as_they_were_written(written: Counters) -> None:
    assert len(written.encode()) == COUNTERS_LENGTH
    assert Counters.decode(written.encode()) == written


@given(st.binary(max_size=60) | st.binary(min_size=46, max_size=46).map(lambda tail: b"\x01" + tail))
def test_broken_counters_are_named(data: bytes) -> None:
    try:
        read = Counters.decode(data)
    except errors.NotOurCard:
        return
    assert data in (read.encode(), bytes(COUNTERS_LENGTH))


def test_a_new_card_has_counted_nothing() -> None:
    assert Counters.decode(bytes(COUNTERS_LENGTH)) == Counters()


def test_fills_are_counted_by_day_and_month_and_a_clock_that_goes_back_gives_nothing_back() -> None:
    after = Counters().after_fill(date(2026, 3, 30), 10, 100)
    after = after.after_fill(date(2026, 3, 30), 5, 50)
    assert (after.day_fills, after.day_volume_ml, after.month_amount_minor) == (2, 15, 150)
    after = after.after_fill(date(2026, 3, 31), 1, 10, odometer_km=120_000)
    assert (after.day_fills, after.day_volume_ml, after.month_volume_ml) == (1, 1, 16)
    back = after.after_fill(date(2026, 1, 1), 1, 10)
    assert (back.day, back.day_fills, back.month_volume_ml) == (date(2026, 3, 31), 2, 17)
    new_month = back.after_fill(date(2026, 4, 1), 3, 30)
    assert (new_month.day_volume_ml, new_month.month_volume_ml, new_month.odometer_km) == (3, 3, 120_000)
    assert new_month.after_fill(date(2027, 4, 1), 3, 30).month_volume_ml == 3, "April of another year"


@given(
    st.builds(
        CardFill,
        numbers(4),
        st.binary(min_size=8, max_size=8),
        numbers(4),
        numbers(1),
        numbers(1),
        numbers(4),
        numbers(5),
        st.integers(946_684_800, 946_684_800 + 0xFFFFFFFF),
    )
)
def test_fills_read_as_they_were_written(written: CardFill) -> None:
    assert len(written.encode()) == FILL_LENGTH
    assert CardFill.decode(written.encode()) == written


@given(st.binary(max_size=40))
def test_broken_fills_are_named(data: bytes) -> None:
    try:
        read = CardFill.decode(data)
    except errors.NotOurCard:
        return
    assert read.encode() == data


@given(entitlements())
def test_entitlements_read_as_they_were_signed(written: Entitlement) -> None:
    raw = written.signed(VAULT)
    assert len(raw) == ENTITLEMENT_LENGTH
    assert decode(raw) == written
    assert verified(raw, KEYS, written.uid, written.card_number) == written


@given(st.binary(max_size=250) | st.binary(min_size=237, max_size=237).map(lambda tail: b"\x01\x80" + tail))
def test_broken_entitlements_are_named(data: bytes) -> None:
    for read in (decode, lambda raw: verified(raw, KEYS, UID, NUMBER)):
        with pytest.raises((errors.NotOurCard, errors.EntitlementKeyMissing)):
            read(data)


SIGNED = entitlement().signed(VAULT)
SIGNED_LENGTH = SIGNED[1] + 64


@given(st.integers(0, ENTITLEMENT_LENGTH - 1), st.integers(0, 7))
def test_no_bit_of_an_entitlement_can_be_changed(at: int, bit: int) -> None:
    changed = bytearray(SIGNED)
    changed[at] ^= 1 << bit
    with pytest.raises((errors.NotOurCard, errors.EntitlementForged, errors.EntitlementKeyMissing)):
        verified(bytes(changed), KEYS, UID, NUMBER)


def test_another_cards_entitlement_is_forged() -> None:
    with pytest.raises(errors.EntitlementForged, match="another UID"):
        verified(SIGNED, KEYS, b"\x04" * 7, NUMBER)
    with pytest.raises(errors.EntitlementForged, match="another card number"):
        verified(SIGNED, KEYS, UID, "7001234567890124")


def test_a_signing_key_that_the_station_lacks_is_said_so() -> None:
    other = Vault.make(seeded(8))
    with pytest.raises(errors.EntitlementKeyMissing):
        verified(SIGNED, (other.public_key,), UID, NUMBER)
    assert verified(SIGNED, (other.public_key, *KEYS), UID, NUMBER).sequence == 5


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"uid": b"1234"}, "7 bytes"),
        ({"card_number": "12"}, "8 to 19 digits"),
        ({"issuer": "too long a name"}, "1 to 8"),
        ({"sequence": 1 << 32}, "the sequence"),
        ({"valid_until": date(2025, 1, 1)}, "before the first"),
        ({"valid_from": date(1999, 1, 1)}, "the first day"),
        ({"currency": "try"}, "three capital letters"),
        ({"product_set": "l p g"}, "product set"),
        ({"plates": ("34 abc",)}, "plate"),
        ({"plates": ("A" * 17,)}, "16 bytes"),
        ({"plates": ("A" * 16,) * 9}, "fewer plates"),
        ({"fill": Limits(-1)}, "a limit"),
        ({"month": Limits(None, 1 << 40)}, "a limit"),
    ],
)
def test_an_impossible_entitlement_is_not_made(change: dict[str, object], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        replace(entitlement(), **change)  # type: ignore[arg-type]  # of any type, which is the point


@given(
    st.sampled_from([part for part in map(Part, range(32)) if Part.PURSE not in part]),
    st.sampled_from(["money_minor", "volume_ml", "points"]),
    st.booleans(),
)
def test_file_01_says_what_else_is_there(parts: Part, unit: PurseUnit, purse: bool) -> None:
    header = replace(HEADER, parts=parts | (Part.PURSE if purse else Part.NONE), purse_unit=unit if purse else None)
    assert CardHeader.decode(header.encode()) == header


@pytest.mark.parametrize("tail", ["ff00", "2000", "0004", "0001", "0200"])
def test_a_file_01_with_impossible_parts_is_not_our_card(tail: str) -> None:
    raw = HEADER.encode()
    with pytest.raises(errors.NotOurCard):
        CardHeader.decode(raw[:24] + bytes.fromhex(tail) + raw[26:])


def test_a_pin_is_checked_and_not_shown() -> None:
    verifier = PinVerifier.make("4711", NUMBER, b"saltsalt", cost=10)
    assert verifier.matches("4711", NUMBER)
    assert not verifier.matches("4712", NUMBER)
    assert not verifier.matches("4711", "7001234567890124"), "on another card it is another PIN"
    assert len(bytes(verifier)) == 24
    assert PinVerifier.parse(bytes(verifier)) == verifier
    assert "saltsalt" not in repr(verifier)


@pytest.mark.parametrize("pin", ["", "123", "123456789", "12a4", "١٢٣٤"])
def test_a_pin_is_four_to_eight_digits(pin: str) -> None:
    with pytest.raises(ValueError, match="4 to 8 digits"):
        PinVerifier.make(pin, NUMBER, b"saltsalt")


FORM = """
product_set = "lpg"
currency = "TRY"
sequence = 1
valid_from = 2026-01-01
valid_until = 2028-12-31
plates = ["34 abc-123"]
pin = "4711"
[fill]
volume_ml = 80000
[month]
amount_minor = 5000000
"""


def test_the_card_offices_form_becomes_an_entitlement() -> None:
    made = read_form(FORM, "card.toml").entitlement(UID, HEADER, b"saltsalt")
    assert (made.uid, made.card_number, made.plates) == (UID, NUMBER, ("34ABC123",))
    assert (made.fill, made.day, made.month) == (Limits(80_000), Limits(), Limits(None, 5_000_000))
    assert made.pin is not None
    assert made.pin.matches("4711", NUMBER)
    assert "4711" not in repr(read_form(FORM, "card.toml"))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (("sequence = 1", ""), "sequence"),
        (("sequence = 1", "sequenze = 1"), "sequenze"),
        (("2028-12-31", "2025-12-31"), "before the first"),
        (("volume_ml = 80000", "volume_ml = 0.5"), "fill.volume_ml"),
        (("volume_ml = 80000", "volume_ml = -5"), "a limit"),
        (('"4711"', '"47"'), "4 to 8 digits"),
        (("[fill]", "[fill"), "card.toml"),
    ],
)
def test_a_wrong_form_is_refused_before_any_card_is_touched(change: tuple[str, str], what: str) -> None:
    with pytest.raises(errors.EntitlementFormRefused, match=what):
        read_form(FORM.replace(*change), "card.toml")


def test_facts_go_over_the_pipe_and_come_back() -> None:
    made = entitlement()
    counted = Counters(1, date(2026, 3, 1), 1, 2, 3, 4, 5, 6, CardDebit(INTENT, "open"))
    facts = CardFacts(UID, NUMBER, "ACME", "proven", "FLT1", 3, made, counted, Purse(5, "points", 7))
    assert msgspec.json.decode(msgspec.json.encode(facts), type=CardFacts) == facts
    assert NUMBER not in repr(facts)
    assert NUMBER not in repr(made)
    assert "34ABC123" not in repr(made)
    assert FILL.seq


def test_a_layout_that_cannot_work_is_not_made() -> None:
    with pytest.raises(ValueError, match="unit"):
        CardLayout(ALL_PARTS)
    with pytest.raises(ValueError, match="counters"):
        CardLayout(Part.PURSE, "points")
    with pytest.raises(ValueError, match="zeros"):
        CardLayout(mac_key_version=0)
    with pytest.raises(ValueError, match="32 bytes"):
        CardProfile(b"\1\2\3", b"X", issuer_keys=(b"short",))
