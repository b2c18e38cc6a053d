"""decide(): an answer to everything, evidence to make it again from, and never more for less."""

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given

from controller.domain.decide import Approved, Decision, Facts, Needs, Request, decide
from controller.domain.explain import again
from controller.domain.funds import Funds
from controller.domain.ladder import MS_PER_HOUR
from controller.domain.lists import ListRow, Measure, Status
from controller.domain.records import Evidence
from tests.domain.cases import NOW_MS, all_facts, requests, with_answer


@given(requests, all_facts)
def test_there_is_an_answer_to_everything(asked: Request, known: Facts) -> None:
    decision = decide(asked, known, NOW_MS)
    assert decision == decide(asked, known, NOW_MS), "the same question has the same answer"
    if not isinstance(decision, Approved):
        return
    limits, row = decision.limits, known.found.row
    assert row is not None
    assert row.status is Status.ACTIVE
    assert limits.volume_ml is None or limits.volume_ml > 0
    assert limits.amount_minor is None or limits.amount_minor > 0
    if row.day_ml:
        assert limits.volume_ml is not None
        assert limits.volume_ml + known.used_day_ml <= row.day_ml
    if row.day_minor:
        assert limits.amount_minor is not None
        assert limits.amount_minor + known.used_day_minor <= row.day_minor
    for index, own in enumerate(row.caps):
        used = known.used[index] if index < len(known.used) else 0
        taken = {Measure.VOLUME: limits.volume_ml, Measure.AMOUNT: limits.amount_minor, Measure.FILLS: 1}[own.measure]
        assert taken is not None
        assert taken + used <= own.most
    if row.funds is Funds.PREPAID:
        assert limits.amount_minor is not None
        bound = asked.granted.amount_minor if asked.granted is not None else None
        assert limits.amount_minor <= (known.available_minor if bound is None else bound)  # type: ignore[operator]


@given(requests, all_facts)
def test_a_needed_answer_is_asked_for_once(asked: Request, known: Facts) -> None:
    answered, before = asked, set()
    while isinstance(decision := decide(answered, known, NOW_MS), Needs):
        assert decision.need not in before
        before.add(decision.need)
        answered = with_answer(answered, decision.need)


@given(requests, all_facts)
def test_a_decision_can_be_made_again_from_its_evidence(asked: Request, known: Facts) -> None:
    decision = decide(asked, known, NOW_MS)
    evidence = msgspec.msgpack.decode(msgspec.msgpack.encode(decision.evidence), type=Evidence)
    assert decide(*again(asked.token, evidence)) == decision


def smaller(row: ListRow, name: str) -> ListRow:
    """The row with one of its limits halved; of a limit that is none, a small one."""
    if name == "caps":
        halved = tuple(msgspec.structs.replace(own, most=own.most // 2) for own in row.caps)
        return msgspec.structs.replace(row, caps=halved)
    return msgspec.structs.replace(row, **{name: max(getattr(row, name) // 2, 1)})


@pytest.mark.parametrize("name", ["fill_ml", "fill_minor", "day_ml", "day_minor", "tank_ml", "caps"])
@given(asked=requests, known=all_facts)
def test_a_smaller_limit_never_gives_more(name: str, asked: Request, known: Facts) -> None:
    row = known.found.row
    if row is None:
        return
    fewer = replace(known, found=msgspec.structs.replace(known.found, row=smaller(row, name)))
    assert_no_more(decide(asked, fewer, NOW_MS), decide(asked, known, NOW_MS))


@given(asked=requests, known=all_facts)
def test_what_was_used_and_how_long_headquarters_is_away_never_give_more(asked: Request, known: Facts) -> None:
    whole = decide(asked, known, NOW_MS)
    more = replace(known, used=tuple(used + 7 for used in known.used), used_day_ml=known.used_day_ml + 7)
    assert_no_more(decide(asked, more, NOW_MS), whole)
    if known.available_minor is not None:
        assert_no_more(decide(asked, replace(known, available_minor=known.available_minor - 3), NOW_MS), whole)
    for age_ms in (0, 13 * MS_PER_HOUR, 10**12):
        if known.contact_age_ms is None or known.contact_age_ms <= age_ms:
            assert_no_more(decide(asked, replace(known, contact_age_ms=age_ms), NOW_MS), whole)


def assert_no_more(less: Decision, whole: Decision) -> None:
    if not isinstance(less, Approved):
        return
    assert isinstance(whole, Approved), "what is refused is not approved by a smaller limit"
    for few, many in (
        (less.limits.volume_ml, whole.limits.volume_ml),
        (less.limits.amount_minor, whole.limits.amount_minor),
    ):
        assert many is None or (few is not None and few <= many)
