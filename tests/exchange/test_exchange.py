"""Two issuers exchange cards, keys and transactions, and settle per pair and day."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.hq.exchange.office import ExchangeError, day_end_ms
from sync.hq.exchange.packages import IssuerKey, ListedCard, PackageError, Service, Traded, pack, read_kept, unpack
from tests.exchange.issuers import DAY, NOON, ZONE, Issuer, later, two

A_DAY = timedelta(days=1)


def test_a_pair_settles_a_day_and_both_get_the_same() -> None:
    a, b = two()
    a.sell(b, "a-1", 120_00)
    a.sell(b, "a-2", 30_00, card=1)
    b.sell(a, "b-1", 50_00)
    from_a, from_b = a.day(b), b.day(a)
    assert b.take(from_a).strangers == ()
    a.take(from_b)
    at_a, at_b = a.office.net("BETA", DAY), b.office.net("ACME", DAY)
    assert (at_a.sold.amount_minor, at_a.bought.amount_minor, at_a.net_minor) == (150_00, 50_00, 100_00)
    assert at_b.net_minor == -at_a.net_minor
    assert at_a.agreed == at_b.agreed != ""
    assert at_a.waits_for == ""


def test_what_has_not_come_is_named_and_nothing_is_agreed() -> None:
    a, b = two()
    a.sell(b, "a-1", 120_00)
    a.day(b)
    netting = a.office.net("BETA", DAY)
    assert (netting.waits_for, netting.agreed, netting.net_minor) == ("BETA", "", 120_00)


def test_a_day_that_is_not_over_is_not_settled() -> None:
    a, b = two()
    end_ms = day_end_ms(DAY, ZONE)
    with pytest.raises(ExchangeError, match="not over yet in Europe/Kyiv"):
        a.day(b, now_ms=end_ms - 1)
    assert isinstance(read_kept(a.day(b, now_ms=end_ms)), Traded)


def test_a_day_ends_where_the_issuers_are_also_when_the_clocks_change() -> None:
    spring, autumn = date(2026, 3, 29), date(2026, 10, 25)
    for day, hours in ((DAY, 24), (spring, 23), (autumn, 25)):
        assert day_end_ms(day, ZONE) - day_end_ms(day - A_DAY, ZONE) == hours * 3_600_000


def test_the_same_day_again_is_the_same_package() -> None:
    a, b = two()
    a.sell(b, "a-1", 120_00)
    first = a.day(b)
    a.sell(b, "a-2", 10_00)
    assert a.day(b) == first
    b.take(first)
    b.take(first)
    assert b.office.net("ACME", DAY).bought.transactions == 1
    assert b.booked == ["a-1"]


def test_what_comes_late_is_in_a_later_day_and_never_twice() -> None:
    a, b = two()
    a.sell(b, "a-1", 120_00)
    b.take(a.day(b))
    a.sell(b, "late", 10_00, NOON)
    a.sell(b, "a-2", 20_00, later(1))
    package = b.take(a.day(b, DAY + A_DAY)).package
    assert isinstance(package, Traded)
    assert [each.ref for each in package.transactions] == ["late", "a-2"]
    assert b.office.net("ACME", DAY).bought.amount_minor == 120_00
    assert b.office.net("ACME", DAY + A_DAY).bought.amount_minor == 30_00


def test_a_reversal_takes_back_what_was_exchanged() -> None:
    a, b = two()
    a.sell(b, "a-1", 120_00)
    b.take(a.day(b))
    a.reverse("a-1", "a-1r")
    b.take(a.day(b, DAY + A_DAY))
    assert b.office.net("ACME", DAY + A_DAY).net_minor == 120_00


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"amount_minor": -1}, "is not what a-1 was"),
        ({"amount_minor": 0}, "is not what a-1 was"),
        ({"amount_minor": 999_999_00}, "below zero is what reverses another"),
        ({"volume_ml": -1}, "is not what a-1 was"),
        ({"card": "9999000011112222"}, "is not what a-1 was"),
        ({"product": "diesel"}, "is not what a-1 was"),
    ],
)
def test_a_reversal_takes_back_all_of_one_transaction_and_nothing_else(fields: dict[str, object], says: str) -> None:
    """The buyer gets the whole sale back: the seller must not keep a part of what was paid for it."""
    a, b = two()
    a.sell(b, "a-1", 120_00)
    b.take(a.day(b))
    a.reverse("a-1", "a-1r")
    package = _traded(a.day(b, DAY + A_DAY))
    wrong = msgspec.structs.replace(package.transactions[0], **fields)
    with pytest.raises(PackageError, match=says):
        b.take(pack(msgspec.structs.replace(package, transactions=(wrong,)), a.key))
    b.take(pack(package, a.key))
    assert b.booked == ["a-1", "a-1r"]


def test_nothing_is_reversed_twice_and_no_reversal_is() -> None:
    a, b = two()
    a.sell(b, "a-1", 120_00)
    b.take(a.day(b))
    a.reverse("a-1", "a-1r")
    package = _traded(a.day(b, DAY + A_DAY))
    again = msgspec.structs.replace(package.transactions[0], ref="a-1rr")
    both = msgspec.structs.replace(package, transactions=(package.transactions[0], again))
    with pytest.raises(PackageError, match="a-1rr reverses a-1, which was reversed before"):
        b.take(pack(both, a.key))
    b.take(pack(package, a.key))
    for ref, says in (("a-1", "which was reversed before"), ("a-1r", "which is a reversal itself")):
        wrong = msgspec.structs.replace(again, reverses=ref)
        third = msgspec.structs.replace(package, sequence=3, day=DAY + 2 * A_DAY, transactions=(wrong,))
        with pytest.raises(PackageError, match=says):
            b.take(pack(third, a.key))


def test_a_missing_package_is_asked_for_and_can_be_had_again() -> None:
    a, b = two()
    a.day(b)
    second = a.day(b, DAY + A_DAY)
    with pytest.raises(PackageError, match="package 1 of ACME is missing"):
        b.take(second)
    b.take(a.office.again("BETA", 1))
    b.take(second)
    with pytest.raises(ExchangeError, match="no package 9 was ever sent to BETA"):
        a.office.again("BETA", 9)


def test_a_transaction_is_paid_once_whatever_package_it_comes_in() -> None:
    a, b = two()
    a.sell(b, "a-1", 120_00)
    taken = b.take(a.day(b)).package
    assert isinstance(taken, Traded)
    again = pack(msgspec.structs.replace(taken, sequence=2, day=DAY + A_DAY), a.key)
    with pytest.raises(PackageError, match="a-1 was in package 1 already"):
        b.take(again)
    another = pack(msgspec.structs.replace(taken, sequence=2, transactions=()), a.key)
    with pytest.raises(PackageError, match="2026-01-15 is settled already"):
        b.take(another)
    unknown = msgspec.structs.replace(taken.transactions[0], ref="r", reverses="never", volume_ml=-1, amount_minor=-1)
    foreign = pack(msgspec.structs.replace(taken, sequence=2, day=DAY + A_DAY, transactions=(unknown,)), a.key)
    with pytest.raises(PackageError, match="r reverses never, which was never exchanged"):
        b.take(foreign)
    assert b.office.net("ACME", DAY).bought.transactions == 1


def test_who_was_restored_from_a_backup_gets_back_what_it_sent() -> None:
    """It forgot two packages and made another instead: what the partner took holds, and nothing is sold twice."""
    a, b = two()
    a.sell(b, "a-1", 120_00)
    b.take(a.day(b))
    a.sell(b, "a-2", 30_00)
    b.take(a.day(b, DAY + A_DAY))
    b.take(a.service(b))
    restored = Issuer("ACME", 1)
    restored.meet(b)
    restored.sold = list(a.sold)
    assert restored.office.numbers("BETA") == (0, 0)
    wrong = restored.day(b, DAY + A_DAY)
    with pytest.raises(PackageError, match=r"another one: if ACME was restored .* forecourt hq exchange return ACME 1"):
        b.take(wrong)
    with pytest.raises(PackageError, match="package 2 to BETA is missing here"):
        restored.take(b.office.give_back("ACME", 3))
    for number in (1, 2, 3, 3):
        assert restored.take(b.office.give_back("ACME", number)).ours
    assert restored.office.numbers("BETA") == (3, 0)
    restored.sell(b, "a-3", 5_00, later(2))
    b.take(restored.day(b, DAY + 2 * A_DAY))
    assert b.booked == ["a-1", "a-2", "a-3"]
    for day in (DAY, DAY + A_DAY, DAY + 2 * A_DAY):
        assert restored.office.net("BETA", day).sold == b.office.net("ACME", day).bought
    assert restored.booked == []
    with pytest.raises(ExchangeError, match="no package 9 was ever taken from ACME"):
        b.office.give_back("ACME", 9)


def test_a_package_made_since_the_backup_is_unsent_when_the_one_before_comes_back() -> None:
    a, b = two()
    a.sell(b, "a-1", 120_00)
    b.take(a.service(b))
    restored = Issuer("ACME", 1)
    restored.meet(b)
    restored.sold = list(a.sold)
    restored.day(b)
    restored.take(b.office.give_back("ACME", 1))
    b.take(restored.day(b))
    assert b.booked == ["a-1"]


def test_a_day_that_was_settled_anew_gives_way_to_what_the_partner_took() -> None:
    a, b = two()
    b.take(a.day(b))
    b.take(a.day(b, DAY + A_DAY))
    restored = Issuer("ACME", 1)
    restored.meet(b)
    restored.service(b)
    restored.day(b)
    with pytest.raises(PackageError, match="2026-01-15 is settled already by package 2"):
        restored.take(b.office.give_back("ACME", 1))
    for number in (2, 1):
        restored.take(b.office.give_back("ACME", number))
        assert restored.office.again("BETA", number) == b.office.give_back("ACME", number)


def test_a_partners_key_is_replaced_only_when_that_is_said() -> None:
    a, b = two()
    c = Issuer("BETA", 3)
    with pytest.raises(ExchangeError, match=f"BETA signs by another key, {b.public_key.hex()}.*--replace"):
        a.office.add_partner("BETA", c.public_key)
    a.take(b.day(a))
    a.office.add_partner("BETA", b.public_key)
    a.office.add_partner("BETA", c.public_key, replace=True)
    with pytest.raises(PackageError, match="not signed by BETA"):
        a.take(b.day(a, DAY + A_DAY))


def test_the_same_number_with_other_bytes_is_refused() -> None:
    a, b = two()
    taken = b.take(a.day(b)).package
    other = pack(msgspec.structs.replace(taken, made_at=taken.made_at + A_DAY), a.key)
    with pytest.raises(PackageError, match="was taken before, and was another one"):
        b.take(other)


def test_a_card_that_was_never_issued_here_is_named_and_still_counts_as_delivered() -> None:
    a, b = two()
    a.sell(b, "a-1", 120_00)
    stranger = msgspec.structs.replace(a.sold[0], ref="a-2", card="9999000011112222")
    a.sold.append(stranger)
    assert b.take(a.day(b)).strangers == ("a-2",)
    assert b.office.net("ACME", DAY).bought.transactions == 2


def test_service_data_takes_the_place_of_all_before_and_old_cards_stay_known() -> None:
    a, b = two()
    b.take(a.service(b))
    stopped = tuple(msgspec.structs.replace(card, stopped=True) for card in a.cards[:1])
    b.take(a.service(b, cards=(*stopped, *a.cards[1:3])))
    state = {card.card: (card.stopped, listed) for card, listed in b.office.cards_of("ACME")}
    assert [state[card.card] for card in a.cards] == [
        (True, True),
        (False, True),
        (False, True),
        (False, False),
        (False, False),
    ]


def test_a_package_that_the_partner_could_not_take_is_not_sent() -> None:
    a, b = two()
    cards = (*a.cards, ListedCard("GOLD-7", "C1"))
    with pytest.raises(ExchangeError, match="BETA could not take this package, it is not sent: entry 6"):
        a.service(b, cards=cards)
    for number, public in ((300, a.public_key.hex()), (1, "9F")):
        with pytest.raises(ExchangeError, match="it is not sent"):
            a.office.service("BETA", lambda _: a.cards, (IssuerKey(number, public),), a.key, 0)
    b.take(a.service(b))


def test_a_name_or_zone_that_no_package_can_carry_is_refused() -> None:
    a, b = two()
    with pytest.raises(ExchangeError, match="'My Fuel' is no issuer's name"):
        a.office.add_partner("My Fuel", b.public_key)
    with pytest.raises(ExchangeError, match="'Kyiv' is no time zone"):
        a.office.begin("ACME", a.key, "UAH", "Kyiv")


def test_another_currency_is_not_netted() -> None:
    a, b = two()
    package = a.day(b)
    lira = pack(msgspec.structs.replace(_traded(package), currency="TRY"), a.key)
    with pytest.raises(PackageError, match="its amounts are in TRY, ours in UAH"):
        b.take(lira)


def test_a_headquarters_has_one_name_and_another_key_is_not_its_own() -> None:
    a, b = two()
    with pytest.raises(ExchangeError, match="this headquarters is ACME to its partners"):
        a.office.begin("OTHER", a.key, "UAH", ZONE)
    with pytest.raises(ExchangeError, match="ACME is this headquarters itself"):
        a.office.add_partner("ACME", b.public_key)
    with pytest.raises(ExchangeError, match="GAMMA is no partner here"):
        a.office.net("GAMMA", DAY)
    with pytest.raises(ExchangeError, match="another than the one that partners know"):
        a.office.service("BETA", lambda _: a.cards, (), b.key, 0)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda line: line.replace(b'"amount_minor":12000', b'"amount_minor":92000'), "was changed since"),
        (lambda line: line[:-40], "no package"),
        (lambda line: b"", "no package"),
    ],
)
def test_a_changed_package_is_refused(change: Callable[[bytes], bytes], says: str) -> None:
    a, b = two()
    a.sell(b, "a-1", 120_00)
    line, signature, _ = a.day(b).split(b"\n")
    with pytest.raises(PackageError, match=says):
        b.take(change(line) + b"\n" + signature + b"\n")


def test_a_package_without_signature_from_a_stranger_or_for_another_is_refused() -> None:
    a, b = two()
    package = a.day(b)
    with pytest.raises(PackageError, match="not two lines"):
        b.take(package.split(b"\n")[0])
    with pytest.raises(PackageError, match="who is no partner here"):
        unpack(package, "BETA", {})
    with pytest.raises(PackageError, match="it is for BETA, and this is GAMMA"):
        unpack(package, "GAMMA", {"ACME": a.public_key})


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"card": "12"}, "entry 1: a card number has 8 to 19 digits"),
        ({"at": datetime(2026, 1, 15, 12)}, "has no offset from UTC"),
        ({"amount_minor": -1}, "below zero is what reverses another"),
        ({"reverses": "a-0"}, "below zero is what reverses another"),
        ({"at": datetime(1, 1, 1, tzinfo=UTC)}, "the time of a-1 cannot be"),
        ({"at": datetime(2026, 1, 17, 12, tzinfo=UTC)}, "the time of a-1 cannot be"),
        ({"ref": "a\x1b[2J"}, "no package"),
        ({"station": "x\u009b31m"}, "no package"),
    ],
)
def test_what_cannot_be_in_a_package_is_refused(fields: dict[str, object], says: str) -> None:
    a, b = two()
    a.sell(b, "a-1", 120_00)
    package = _traded(a.day(b))
    wrong = msgspec.structs.replace(package.transactions[0], **fields)
    with pytest.raises(PackageError, match=says):
        b.take(pack(msgspec.structs.replace(package, transactions=(wrong,)), a.key))
    twice = (package.transactions[0], package.transactions[0])
    with pytest.raises(PackageError, match="a-1 stands in it twice"):
        b.take(pack(msgspec.structs.replace(package, transactions=twice), a.key))


def test_a_card_twice_in_the_service_data_is_refused() -> None:
    a, b = two()
    package = read_kept(a.service(b))
    assert isinstance(package, Service)
    wrong = msgspec.structs.replace(package, cards=(*a.cards, a.cards[0]))
    with pytest.raises(PackageError, match=r"the card 700100\*+0000 stands in it twice"):
        b.take(pack(wrong, a.key))


@given(st.binary(max_size=300))
def test_any_bytes_are_a_package_or_refused(data: bytes) -> None:
    with pytest.raises(PackageError):
        unpack(data, "BETA", {})


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32))
def test_over_any_days_nothing_is_lost_or_paid_twice(seed: int) -> None:
    """Random sales, late ones and lost packages: the days' nets are opposite, and their sum is all that was sold."""
    chance = random.Random(seed)
    a, b = two()
    total = 0
    for number in range(6):
        for seller, buyer, sign in ((a, b, 1), (b, a, -1)):
            for each in range(chance.randrange(3)):
                amount = chance.randrange(1, 10_000)
                at = later(number - chance.randrange(3) if number >= 2 else number)
                seller.sell(buyer, f"{seller.name}-{number}-{each}", amount, at)
                total += sign * amount
        day = DAY + number * A_DAY
        for seller, buyer in ((a, b), (b, a)):
            package = seller.day(buyer, day)
            for _ in range(1 + chance.randrange(2)):
                buyer.take(package)
    nets = [(a.office.net("BETA", DAY + n * A_DAY), b.office.net("ACME", DAY + n * A_DAY)) for n in range(6)]
    assert all(x.net_minor == -y.net_minor and x.agreed == y.agreed for x, y in nets), f"seed {seed}"
    assert sum(x.net_minor for x, _ in nets) == total, f"seed {seed}"


def _traded(data: bytes) -> Traded:
    package = read_kept(data)
    assert isinstance(package, Traded)
    return package
