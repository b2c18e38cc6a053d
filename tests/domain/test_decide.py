"""decide(): every branch, an answer to everything, and evidence from which the answer can be made again."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.decide import Approved, Decision, Facts, Needs, Refusal, Request, decide, narrow, preset_of
from controller.domain.desk import Need
from controller.domain.lists import ListRow, ListState, LookUp, Status
from controller.domain.quantities import CURRENCIES, UnitPrice, amount_for
from controller.domain.reasons import Reason
from controller.domain.records import Evidence, Funds, Limits
from controller.domain.tokens import Assurance, TokenKind, TokenRef

NOW_MS = 1_790_000_000_000
CARD = TokenRef(TokenKind.CARD, b"card-key", "782100******0012", Assurance.PROVEN)
COPY = TokenRef(TokenKind.CARD, b"card-key", "782100******0012", Assurance.IDENTIFIED)
PLATE = TokenRef(TokenKind.PLATE, b"plat-key", "34****23", Assurance.IDENTIFIED)
LIRA = CURRENCIES["TRY"]
CARD_ROW = ListRow(CARD.key, TokenKind.CARD, Status.ACTIVE, "ACME", products="diesel,autogas")
PLATE_ROW = ListRow(PLATE.key, TokenKind.PLATE, Status.ACTIVE, "BURSA-SU")


def request(token: TokenRef = CARD, **answers: Any) -> Request:
    return Request(token, "diesel", UnitPrice(4379, 2), LIRA, **answers)


def unnamed(*grades: str, token: TokenRef = CARD, **answers: Any) -> Request:
    """Of a point with these grades, whose pump does not say which nozzle was lifted."""
    return Request(token, "", None, LIRA, grades=grades, **answers)


def facts(row: ListRow | None = CARD_ROW, *, state: ListState = ListState.READY, **used: int) -> Facts:
    return Facts(LookUp(state, 3, row), **used)


def card_row(**conditions: Any) -> ListRow:
    return msgspec.structs.replace(CARD_ROW, **conditions)


REFUSALS = {
    "there is no list": (request(), facts(None, state=ListState.MISSING), Reason.LIST_MISSING),
    "the list cannot be read": (request(), facts(None, state=ListState.UNREADABLE), Reason.LIST_UNREADABLE),
    "the card may be a copy": (request(COPY), facts(), Reason.CARD_NOT_PROVEN),
    "the copy of an unknown card says no more": (request(COPY), facts(None), Reason.CARD_NOT_PROVEN),
    "the card is not on the list": (request(), facts(None), Reason.CARD_UNKNOWN),
    "the plate is not on the list": (request(PLATE), facts(None), Reason.PLATE_UNKNOWN),
    "the card is stopped": (request(), facts(card_row(status=Status.STOPPED)), Reason.CARD_BLOCKED),
    "not valid yet": (request(), facts(card_row(valid_from_ms=NOW_MS + 1)), Reason.NOT_YET_VALID),
    "expired this very moment": (request(), facts(card_row(valid_until_ms=NOW_MS)), Reason.EXPIRED),
    "another product": (request(), facts(card_row(products="gasoline")), Reason.PRODUCT_NOT_ALLOWED),
    "none of the products that it may be": (unnamed("gasoline", "kerosene"), facts(), Reason.PRODUCT_NOT_ALLOWED),
    "the card is stopped, whatever was lifted": (
        unnamed("diesel", "autogas"),
        facts(card_row(status=Status.STOPPED)),
        Reason.CARD_BLOCKED,
    ),
    "part of a product's name": (request(), facts(card_row(products="biodiesel")), Reason.PRODUCT_NOT_ALLOWED),
    "another vehicle": (
        request(plate_key=b"other"),
        facts(card_row(plate_key=b"plat-key")),
        Reason.PLATE_MISMATCH,
    ),
    "an odometer that runs backwards": (
        request(odometer_km=99_999),
        facts(card_row(ask_odometer=True), last_odometer_km=100_000),
        Reason.ODOMETER_IMPLAUSIBLE,
    ),
    "the day's litres are used up": (request(), facts(card_row(day_ml=50_000), used_day_ml=50_000), Reason.LIMIT_DAY),
    "the pump overran the day's litres": (
        request(),
        facts(card_row(day_ml=50_000), used_day_ml=50_010),
        Reason.LIMIT_DAY,
    ),
    "the day's money is used up": (
        request(),
        facts(card_row(day_minor=100_000, day_ml=90_000), used_day_minor=100_000),
        Reason.LIMIT_DAY,
    ),
}


@pytest.mark.parametrize(("asked", "known", "reason"), REFUSALS.values(), ids=REFUSALS)
def test_it_is_refused_when(asked: Request, known: Facts, reason: Reason) -> None:
    decision = decide(asked, known, NOW_MS)
    assert isinstance(decision, Refusal)
    assert decision.reason is reason


NEEDS = {
    "the card is for one vehicle": (request(), facts(card_row(plate_key=b"plat-key")), Need.PLATE),
    "the odometer is wanted": (request(), facts(card_row(ask_odometer=True)), Need.ODOMETER),
    "both are wanted: the plate first": (
        request(),
        facts(card_row(ask_odometer=True, plate_key=b"plat-key")),
        Need.PLATE,
    ),
    "both are wanted: then the odometer": (
        request(plate_key=b"plat-key"),
        facts(card_row(ask_odometer=True, plate_key=b"plat-key")),
        Need.ODOMETER,
    ),
}


@pytest.mark.parametrize(("asked", "known", "need"), NEEDS.values(), ids=NEEDS)
def test_it_asks_when(asked: Request, known: Facts, need: Need) -> None:
    decision = decide(asked, known, NOW_MS)
    assert isinstance(decision, Needs)
    assert decision.need is need


APPROVALS = {
    "nothing is limited": (request(), facts(), Limits()),
    "a plate is never asked for its plate": (
        request(PLATE),
        facts(msgspec.structs.replace(PLATE_ROW, plate_key=b"other")),
        Limits(),
    ),
    "the first moment of its time": (request(), facts(card_row(valid_from_ms=NOW_MS)), Limits()),
    "the last moment of its time": (request(), facts(card_row(valid_until_ms=NOW_MS + 1)), Limits()),
    "the right vehicle": (request(plate_key=b"plat-key"), facts(card_row(plate_key=b"plat-key")), Limits()),
    "a plausible odometer": (
        request(odometer_km=100_000),
        facts(card_row(ask_odometer=True), last_odometer_km=100_000),
        Limits(),
    ),
    "a new vehicle with nothing on the clock": (request(odometer_km=0), facts(card_row(ask_odometer=True)), Limits()),
    "what is left of the day": (
        request(),
        facts(card_row(day_ml=50_000, fill_ml=60_000), used_day_ml=20_000),
        Limits(30_000, None, "volume:day"),
    ),
    "one fill binds before the day does": (
        request(),
        facts(card_row(day_ml=50_000, fill_ml=20_000), used_day_ml=20_000),
        Limits(20_000, None, "volume:fill"),
    ),
    "litres and money each have their limit": (
        request(),
        facts(card_row(fill_ml=60_000, day_minor=100_000), used_day_minor=1),
        Limits(60_000, 99_999, "volume:fill,amount:day"),
    ),
    "used without a limit is no limit": (request(), facts(used_day_ml=10**9, used_day_minor=10**9), Limits()),
}


@pytest.mark.parametrize(("asked", "known", "limits"), APPROVALS.values(), ids=APPROVALS)
def test_it_is_approved_when(asked: Request, known: Facts, limits: Limits) -> None:
    decision = decide(asked, known, NOW_MS)
    assert isinstance(decision, Approved)
    assert decision.limits == limits
    assert decision.funds is Funds.POSTPAID
    assert known.found.row is not None
    assert decision.account == known.found.row.account


def test_every_reason_that_a_list_can_give_has_a_case() -> None:
    about_pumps_and_tills = {
        Reason.PUMP_STOPPED,
        Reason.TENDER_TOO_LARGE,
        Reason.HEADQUARTERS_REFUSED,
        Reason.STATION_STOPPING,
        Reason.PRICE_MISSING,
        Reason.PUMP_NOT_CALLING,
        Reason.PUMP_BUSY,
        Reason.PUMP_OFFLINE,
        Reason.PUMP_REFUSED,
        Reason.TWO_UNPAID,
        Reason.POINT_UNKNOWN,
        Reason.NOTHING_TO_ANSWER,
        Reason.DELIVERY_UNKNOWN,
        Reason.ALREADY_SETTLED,
        Reason.LEASED_ELSEWHERE,
        Reason.NOT_LEASED,
        Reason.TENDER_TOO_SMALL,
        Reason.PRESET_INVALID,
        Reason.JOURNAL_FULL,
        Reason.HEADQUARTERS_SILENT,
        Reason.COMMAND_REUSED,
        Reason.PUMP_UNSUPPORTED,
        Reason.PUMP_WRONG_STATE,
        Reason.PUMP_NOT_CONFIRMED,
        Reason.GRADE_UNKNOWN,
        Reason.PRICE_INVALID,
        Reason.TEST_MEASURE,
        Reason.GRADE_NOT_HERE,
        Reason.GRADE_NOT_LIFTED,
        Reason.PRICE_NOT_SHOWN,
    }
    assert {reason for _, _, reason in REFUSALS.values()} == set(Reason) - about_pumps_and_tills


GRADES_WANTED = {
    "the only one that the card may buy": (unnamed("gasoline", "diesel", "kerosene"), facts(), "diesel"),
    "it may buy two of them": (unnamed("gasoline", "diesel", "autogas"), facts(), None),
    "it may buy any": (unnamed("gasoline", "diesel"), facts(card_row(products="")), None),
    "two nozzles have it": (unnamed("diesel", "gasoline", "diesel"), facts(), None),
    "it was answered": (
        Request(CARD, "autogas", UnitPrice(2435, 2), LIRA, grades=("diesel", "autogas")),
        facts(),
        "autogas",
    ),
    "before anything else is asked": (unnamed("diesel", "autogas"), facts(card_row(ask_odometer=True)), None),
}


@pytest.mark.parametrize(("asked", "known", "grade"), GRADES_WANTED.values(), ids=GRADES_WANTED)
def test_the_grade_is_what_was_answered_or_the_only_one_possible(
    asked: Request, known: Facts, grade: str | None
) -> None:
    decision = decide(asked, known, NOW_MS)
    assert decision.evidence.grades == asked.grades
    if grade is None:
        assert isinstance(decision, Needs)
        assert (decision.need, decision.evidence.grade) == (Need.GRADE, "")
    else:
        assert isinstance(decision, Approved)
        assert decision.evidence.grade == grade


small = st.integers(0, 3)
moments = st.sampled_from([0, NOW_MS - 1, NOW_MS, NOW_MS + 1])
keys = st.sampled_from([b"", b"plat-key", b"other"])
list_rows = st.builds(
    ListRow,
    key=st.just(CARD.key),
    kind=st.sampled_from(TokenKind),
    status=st.sampled_from(Status),
    account=st.just("ACME"),
    products=st.sampled_from(["", "diesel", "gasoline", "diesel,gasoline", ","]),
    valid_from_ms=moments,
    valid_until_ms=moments,
    plate_key=keys,
    ask_odometer=st.booleans(),
    fill_ml=small,
    fill_minor=small,
    day_ml=small,
    day_minor=small,
)
requests = st.builds(
    Request,
    token=st.sampled_from([CARD, COPY, PLATE]),
    grade=st.sampled_from(["diesel", "gasoline"]),
    price=st.just(UnitPrice(4379, 2)),
    currency=st.just(LIRA),
    plate_key=st.none() | st.sampled_from([b"plat-key", b"other"]),
    odometer_km=st.none() | small,
)
unnamed_requests = st.builds(
    Request,
    token=st.sampled_from([CARD, COPY, PLATE]),
    grade=st.sampled_from(["", "diesel"]),
    price=st.none(),
    currency=st.just(LIRA),
    plate_key=st.none() | st.sampled_from([b"plat-key", b"other"]),
    odometer_km=st.none() | small,
    grades=st.sampled_from([("diesel", "gasoline"), ("diesel", "autogas", "diesel"), ("autogas", "diesel")]),
)
requests = requests | unnamed_requests
look_ups = st.one_of(
    st.builds(LookUp, st.just(ListState.READY), small, st.none() | list_rows),
    st.builds(LookUp, st.sampled_from([ListState.MISSING, ListState.UNREADABLE])),
)
all_facts = st.builds(Facts, look_ups, small, small, small)


@given(requests, all_facts)
def test_there_is_an_answer_to_everything(asked: Request, known: Facts) -> None:
    decision = decide(asked, known, NOW_MS)
    assert decision == decide(asked, known, NOW_MS), "the same question has the same answer"
    if isinstance(decision, Approved):
        assert decision.limits.volume_ml is None or decision.limits.volume_ml > 0
        assert decision.limits.amount_minor is None or decision.limits.amount_minor > 0
        row = known.found.row
        assert row is not None
        assert row.status is Status.ACTIVE
        if row.day_ml:
            assert decision.limits.volume_ml is not None
            assert decision.limits.volume_ml + known.used_day_ml <= row.day_ml
        if row.day_minor:
            assert decision.limits.amount_minor is not None
            assert decision.limits.amount_minor + known.used_day_minor <= row.day_minor


@given(requests, all_facts)
def test_a_needed_answer_is_asked_for_once(asked: Request, known: Facts) -> None:
    answered = asked
    for _ in Need:
        decision = decide(answered, known, NOW_MS)
        if not isinstance(decision, Needs):
            break
        if decision.need is Need.PLATE:
            assert answered.plate_key is None
            answered = replace(answered, plate_key=b"plat-key")
        elif decision.need is Need.GRADE:
            assert not answered.grade
            answered = replace(answered, grade=answered.grades[0])
        else:
            assert answered.odometer_km is None
            answered = replace(answered, odometer_km=1)
    assert not isinstance(decide(answered, known, NOW_MS), Needs)


def again(token: TokenRef, evidence: Evidence) -> Decision:
    """The decision from what a journal row keeps: the token and the evidence, nothing else."""
    evidence = msgspec.msgpack.decode(msgspec.msgpack.encode(evidence), type=Evidence)
    row = msgspec.msgpack.decode(evidence.row, type=ListRow) if evidence.row else None
    assert evidence.list_state is not None
    asked = Request(
        token,
        evidence.grade,
        UnitPrice(1, 0),
        LIRA,
        evidence.plate_key or None,
        odometer_km=evidence.odometer_km,
        grades=evidence.grades,
    )
    known = Facts(
        LookUp(evidence.list_state, evidence.list_version, row),
        evidence.used_day_ml,
        evidence.used_day_minor,
        evidence.last_odometer_km,
    )
    return decide(asked, known, evidence.at_ms)


@given(requests, all_facts)
def test_a_decision_can_be_made_again_from_its_evidence(asked: Request, known: Facts) -> None:
    decision = decide(asked, known, NOW_MS)
    assert again(asked.token, decision.evidence) == decision


NARROWED = [
    (Limits(), None, None, Limits()),
    (Limits(), 20_000, None, Limits(20_000, None, "volume:preset")),
    (Limits(), None, 50_000, Limits(None, 50_000, "amount:preset")),
    (Limits(30_000, None, "volume:day"), 20_000, None, Limits(20_000, None, "volume:preset")),
    (Limits(30_000, None, "volume:day"), 40_000, None, Limits(30_000, None, "volume:day")),
    (Limits(30_000, None, "volume:day"), 30_000, None, Limits(30_000, None, "volume:day")),
    (Limits(30_000, None, "volume:day"), None, 9, Limits(30_000, 9, "volume:day,amount:preset")),
    (Limits(1, 2, "volume:fill,amount:day"), None, 1, Limits(1, 1, "volume:fill,amount:preset")),
]


@pytest.mark.parametrize(("limits", "wanted_ml", "wanted_minor", "narrowed"), NARROWED)
def test_a_wish_only_ever_narrows_the_limits(
    limits: Limits, wanted_ml: int | None, wanted_minor: int | None, narrowed: Limits
) -> None:
    assert narrow(limits, wanted_ml, wanted_minor) == narrowed


PRICE = UnitPrice(5000, 2)
PRESETS = [
    (Limits(), PRICE, (None, None)),
    (Limits(20_000), PRICE, (20_000, None)),
    (Limits(None, 50_000), PRICE, (None, 50_000)),
    (Limits(10_000, 50_000), PRICE, (10_000, None)),  # exactly as much: the litres are the sharper bound
    (Limits(10_001, 50_000), PRICE, (None, 50_000)),
    (Limits(9_999, 50_000), PRICE, (9_999, None)),
]


@pytest.mark.parametrize(("limits", "price", "preset"), PRESETS)
def test_a_pump_gets_the_smaller_limit(limits: Limits, price: UnitPrice, preset: tuple[int | None, int | None]) -> None:
    assert preset_of(limits, price, LIRA) == preset


limit = st.none() | st.integers(1, 10**7)


@given(limit, limit, st.builds(UnitPrice, st.integers(1, 10**5), st.integers(-3, 3)))
def test_a_preset_keeps_both_limits(volume_ml: int | None, amount_minor: int | None, price: UnitPrice) -> None:
    preset_ml, preset_minor = preset_of(Limits(volume_ml, amount_minor), price, LIRA)
    assert preset_ml is None or preset_minor is None, "a pump takes one"
    if preset_ml is not None and amount_minor is not None:
        assert amount_for(preset_ml, price, LIRA) <= amount_minor
    if preset_minor is not None and volume_ml is not None:
        # The litres that cost less than the money: none of them lies beyond the volume limit.
        assert amount_for(volume_ml, price, LIRA) >= preset_minor
    assert (preset_ml, preset_minor) != (None, None) or (volume_ml, amount_minor) == (None, None)
