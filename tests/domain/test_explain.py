"""A decision told again from its row: in words, and the same."""

import dataclasses

import msgspec
import pytest
from hypothesis import given, settings

from controller.domain.decide import Approved, Facts, Refusal, Request, decide
from controller.domain.explain import Explained, NotADecision, explain
from controller.domain.ladder import MS_PER_HOUR
from controller.domain.lists import Hours, ListState, LookUp
from controller.domain.pins import ON_CARD, PinAnswer
from controller.domain.reasons import CATALOGUE, Reason, limit_text
from controller.domain.records import (
    Authorised,
    Body,
    Declined,
    Evidence,
    Limits,
    PumpAlarm,
    Record,
    RowName,
    decode_body,
    encode_body,
)
from tests.domain.cases import NOW_MS, PIN, PREPAID, all_facts, cap, card_row, facts, request, requests
from tests.domain.rows import EPOCH, STAMP, authorised


def row_of(record: Record) -> Body:
    """As it stands in a journal."""
    return decode_body(encode_body(Body(RowName(EPOCH, 7), STAMP, record)))


def decided(asked: Request, known: Facts) -> Record | None:
    """The row that a station writes of this decision; None where it asks something."""
    match decide(asked, known, NOW_MS):
        case Approved() as approved:
            return msgspec.structs.replace(
                authorised(token=asked.token),
                account=approved.account,
                funds=approved.funds,
                limits=approved.limits,
                evidence=approved.evidence,
            )
        case Refusal(reason, evidence):
            return Declined(1, 1, asked.token, reason, evidence)
    return None


@settings(max_examples=100)
@given(requests, all_facts)
def test_every_decision_is_told_again_and_is_the_same(asked: Request, known: Facts) -> None:
    record = decided(asked, known)
    if record is not None:
        explained = explain(row_of(record))
        assert explained.same
        assert explained.lines[-1] == "The same answer"


def told(asked: Request, known: Facts) -> str:
    record = decided(asked, known)
    assert record is not None
    return "\n".join(explain(row_of(record)).lines)


def test_an_approval_is_told_step_by_step() -> None:
    row = card_row(
        fill_ml=60_000,
        tank_ml=80_000,
        caps=(cap("account_month_amount", 1_000_000), cap("vehicle_week_fills", 5)),
        hours=(Hours(127, 0, 0),),
        stations="TR-1",
        valid_until_ms=NOW_MS + 1,
    )
    text = told(request(wanted_ml=50_000), facts(row, used=(900_000, 2), contact_age_ms=13 * MS_PER_HOUR))
    for words in (
        "a card, proven",
        "ready, version 3, the token is on it",
        "diesel; allowed are diesel,autogas",
        "TR-1; allowed are TR-1",
        "Monday 12:00; 1 times of the week are allowed",
        "fill 60.000, used 0.000",
        "vehicle_week 5 fills, used 2 fills",
        "account_month 10000.00 TRY, used 9000.00 TRY",
        "tank 80.000",
        "13 h: 70 % of the limits",
        " 16. age of the last contact -> limit_offline",
    ):
        assert words.strip().split(" -> ")[0].removeprefix("16. ") in text, (words, text)
    assert "declined, limit_offline" in text


def test_a_partial_approval_names_its_limit_in_words() -> None:
    text = told(request(), facts(card_row(day_ml=50_000), used_day_ml=20_000))
    assert "partially approved, at most 30.000, the smallest limit: what is left of the day's limit" in text
    assert limit_text("offline_account_month") == (
        "what is left of the month's limit, smaller while headquarters is away, of the account"
    )


def test_a_refusal_stops_at_the_check_that_spoke() -> None:
    text = told(request(), facts(card_row(valid_until_ms=NOW_MS, pin=PIN)))
    assert "4. validity" in text
    assert "-> expired" in text
    assert "PIN" not in text
    assert CATALOGUE[Reason.EXPIRED].attendant in text
    assert "nothing was set apart here" not in told(request(), facts(PREPAID, available_minor=5))


def test_what_is_not_the_same_is_said() -> None:
    record = decided(request(), facts(card_row(fill_ml=60_000)))
    assert record is not None
    changed = msgspec.structs.replace(record, limits=Limits(70_000, None, "volume:fill"))
    explained = explain(row_of(changed))
    assert not explained.same
    assert explained.lines[-1].startswith("NOT the same answer")
    refused = decided(request(), facts(card_row(products="gasoline")))
    assert refused is not None
    assert not explain(row_of(msgspec.structs.replace(refused, reason=Reason.EXPIRED))).same


def test_what_the_station_refused_after_a_good_decision_is_told_so() -> None:
    decision = decide(request(), facts(), NOW_MS)
    explained = explain(row_of(Declined(1, 1, request().token, Reason.TWO_UNPAID, decision.evidence)))
    assert explained.same
    assert "by the station, after the decision" in explained.lines[-2]


@pytest.mark.parametrize("pin", [PIN, "argon", f"{ON_CARD}00"])
def test_the_journal_keeps_that_there_is_a_pin_and_not_its_verifier(pin: str) -> None:
    found = LookUp(ListState.READY, 3, card_row(pin=pin), pin_on_card=pin.startswith(ON_CARD))
    for typed in (PinAnswer.RIGHT, PinAnswer.WRONG):
        record = decided(request(pin=typed), dataclasses.replace(facts(), found=found, pin_wrong=1))
        assert record is not None
        assert pin.encode() not in encode_body(row_of(record))
        explained = explain(row_of(record))
        assert explained.same
        assert ("pin_unreadable" in explained.lines[-3]) is (pin == "argon")


@pytest.mark.parametrize("pin", [PIN, "argon", f"{ON_CARD}00"])
def test_a_row_of_before_that_has_its_verifier_is_explained_as_it_was(pin: str) -> None:
    found = LookUp(ListState.READY, 3, card_row(pin=pin), pin_on_card=pin.startswith(ON_CARD))
    record = decided(request(pin=PinAnswer.RIGHT), dataclasses.replace(facts(), found=found))
    assert isinstance(record, Authorised | Declined)
    row = msgspec.msgpack.encode(card_row(pin=pin))
    old = msgspec.structs.replace(record.evidence, row=row, pin_asked=None)
    assert explain(row_of(msgspec.structs.replace(record, evidence=old))).same


def test_a_row_of_before_the_evidence_had_what_was_asked_for() -> None:
    evidence = decide(request(), facts(card_row(fill_ml=60_000)), NOW_MS).evidence
    old = Evidence(*(getattr(evidence, name) for name in Evidence.__struct_fields__[:11]))
    record = msgspec.structs.replace(
        authorised(token=request().token), limits=Limits(20_000, None, "volume:preset"), evidence=old
    )
    explained: Explained = explain(row_of(record))
    assert explained.same, explained.lines


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (PumpAlarm(1, 2, "door open"), "no decision"),
        (authorised(), "an attendant's word"),
        (Declined(1, 1, None, Reason.TWO_UNPAID, Evidence()), "an attendant's word"),
    ],
)
def test_what_was_not_decided_is_said(record: Record, words: str) -> None:
    with pytest.raises(NotADecision, match=words):
        explain(row_of(record))


def test_evidence_that_cannot_be_read_is_said() -> None:
    record = decided(request(), facts())
    assert record is not None
    evidence = msgspec.structs.replace(record.evidence, row=b"\xc1")  # type: ignore[union-attr]  # an authorised row
    with pytest.raises(NotADecision, match="cannot be read"):
        explain(row_of(msgspec.structs.replace(record, evidence=evidence)))
