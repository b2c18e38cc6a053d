"""Open cases of card purses, as the rows of a journal make them."""

import msgspec
import pytest

from controller.domain.card_proof import CardAct, CardProof
from controller.domain.names import RowName
from controller.domain.purse_records import (
    CardSeen,
    PurseDebited,
    PurseFate,
    PurseIntended,
    PurseRefunded,
    PurseResolved,
    PurseUnit,
)
from controller.domain.purses import PurseCase, Purses
from controller.domain.records import Body, Record, Released, Unreserved
from tests.domain.rows import CARD, EPOCH, STAMP, authorised, delivery

INTENT = RowName(EPOCH, 1)
ALLOWED = RowName(EPOCH, 3)
INTENDED = PurseIntended(1, CARD, 12, PurseUnit.MONEY, 5_000, 9_000, None)


def proof(tmc: int) -> CardProof:
    return CardProof(CARD.key, CardAct.DEBIT, 5_000, 12, EPOCH, 1, tmc, bytes(8), bytes(16), b"")


def after(*records: Record) -> Purses:
    purses = Purses()
    for seq, record in enumerate(records, 1):
        purses.apply(Body(RowName(EPOCH, seq), STAMP, record))
    return purses


def allowed(unit: PurseUnit = PurseUnit.MONEY) -> tuple[Record, ...]:
    record = msgspec.structs.replace(authorised(token=CARD), purse=INTENT, card=CardSeen(4, 6))
    return msgspec.structs.replace(INTENDED, unit=unit), PurseDebited(INTENT, proof(7)), record


def only(purses: Purses) -> PurseCase:
    ((name, case),) = purses.of_card(CARD.key)
    assert name == INTENT
    return case


def test_nobody_knows_what_became_of_an_intent_alone() -> None:
    case = only(after(INTENDED))
    assert (case.debited, case.owed, case.fuelling) == (None, None, False)


def test_all_is_owed_of_a_debit_that_allowed_nothing() -> None:
    assert only(after(INTENDED, PurseDebited(INTENT, None))).owed == 5_000
    assert only(after(INTENDED, PurseResolved(INTENT, PurseFate.APPLIED, ""))).owed == 5_000


def test_nothing_is_owed_while_a_pump_may_deliver() -> None:
    case = only(after(*allowed()))
    assert case.fuelling
    assert case.owed is None


@pytest.mark.parametrize(("unit", "owed"), [(PurseUnit.MONEY, 5_000 - 4_379), (PurseUnit.VOLUME, 5_000 - 1_000)])
def test_what_a_delivery_left_is_owed(unit: PurseUnit, owed: int) -> None:
    given = msgspec.structs.replace(delivery(), authorised=ALLOWED, volume_ml=1_000, amount_minor=4_379)
    assert only(after(*allowed(unit), given)).owed == owed


def test_more_than_was_taken_leaves_nothing_and_never_a_debt() -> None:
    given = msgspec.structs.replace(delivery(), authorised=ALLOWED, volume_ml=9_000, amount_minor=39_411)
    assert only(after(*allowed(), given)).owed == 0


def test_a_pump_that_was_heard_proves_that_nothing_ran() -> None:
    assert only(after(*allowed(), Released(ALLOWED, "hung up"))).owed == 5_000


def test_a_pump_that_was_not_heard_proves_nothing_before_its_totaliser_is_read() -> None:
    doubtful = Released(ALLOWED, "forgotten", proven=False)
    assert only(after(*allowed(), doubtful)).owed is None
    assert only(after(*allowed(), doubtful, Unreserved(ALLOWED, "card_purse", 1_500, 340))).owed == 3_500
    assert (
        only(after(*allowed(PurseUnit.VOLUME), doubtful, Unreserved(ALLOWED, "card_purse", 1_500, 340))).owed == 4_660
    )
    another_meter = Unreserved(ALLOWED, "card_purse", 5_000, None)
    assert only(after(*allowed(), doubtful, another_meter)).owed == 0


@pytest.mark.parametrize(
    "end",
    [
        PurseRefunded(INTENT, 5_000, proof(8)),
        PurseResolved(INTENT, PurseFate.NOT_APPLIED, ""),
        PurseResolved(INTENT, PurseFate.REFUNDED, ""),
    ],
)
def test_a_closed_case_is_gone(end: Record) -> None:
    assert not after(INTENDED, end).cases


def test_a_card_that_cannot_tell_stays_open_for_headquarters() -> None:
    assert only(after(INTENDED, PurseResolved(INTENT, PurseFate.UNKNOWN, ""))).elsewhere


def test_the_highest_that_was_seen_never_goes_back() -> None:
    assert after(*allowed()).highest(CARD.key) == CardSeen(4, 7)
    assert after(*allowed(), PurseRefunded(INTENT, 0, proof(9)), *allowed()).highest(CARD.key) == CardSeen(4, 9)
    assert Purses().highest(b"stranger") == CardSeen()
