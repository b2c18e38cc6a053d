"""The card office: from a blank card to a card of the network, and whatever is torn is finished the next time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from card_io import errors
from card_io.application import CardHeader, Part
from card_io.inspect_card import Verified, VerifySession
from card_io.issue import IssueSession
from card_io.layout import CardLayout
from card_io.rotate import LockCardSession, RotateKeysSession, WipeSession
from card_io.session import CardSession
from sim.cards.card import SimCard
from sim.cards.make import new_state
from sim.cards.state import Application, KeyState, MasterKind, Rights, StandardFile
from tests.cards.bench import NUMBER, UID, identify, seeded
from tests.cards.office import (
    HEADER,
    LAYOUT,
    OFFICE,
    STATION_KEYS,
    VAULT,
    VERSION,
    blank,
    fed_garbage,
    issue,
    issued,
    issuing,
    length_of,
    load,
    loaded,
    run,
    signed_for,
    tap,
    torn,
)

_ISSUED = issued().state


def card_of() -> SimCard:
    return SimCard(_ISSUED.copy(), seeded())


def verify(card: SimCard, layout: CardLayout = LAYOUT, header: CardHeader | None = HEADER) -> Verified:
    return run(VerifySession(OFFICE, STATION_KEYS, seeded(), layout=layout, header=header), card)


def test_a_blank_card_becomes_a_card_of_the_network() -> None:
    card = blank()
    done = issue(card)
    assert done.uid == UID
    assert done.did == (
        "created the application",
        "created files 01, 02, 03, 04, 05, 0F",
        "changed keys 1, 2, 3, 4, 5, 6, 7, 8, 9",
        "changed key 0",
        "wrote the entitlement",
        "wrote the card's number",
    )
    assert identify(card, keys=STATION_KEYS).card_number == NUMBER
    assert verify(card) == Verified(UID, HEADER, (VERSION,) * 10, ())


def test_a_finished_card_is_left_as_it_is() -> None:
    card = card_of()
    before = card.state.copy()
    assert issue(card).did == ()
    assert card.state == before


def test_a_minimal_card_is_issued_too() -> None:
    header = CardHeader(NUMBER, "FLT1", "ACME", VERSION)
    layout = CardLayout(Part.NONE)
    card = blank()
    issue(card, layout, header)
    assert verify(card, layout, header).findings == ()


FRAMES = length_of(issuing(), blank())


@pytest.mark.parametrize("heard", [False, True], ids=["unheard", "heard"])
def test_a_card_torn_out_anywhere_is_finished_the_next_time(heard: bool) -> None:
    for after in range(FRAMES):
        card = blank()
        with pytest.raises(errors.CardRemoved):
            torn(issuing(), card, after, heard=heard)
        issue(card, seed=3)
        assert verify(card).findings == (), f"torn at frame {after}"


@pytest.mark.parametrize("kind", ["aes", "3des"])
def test_a_card_that_asks_for_its_own_key_is_issued_with_it(kind: MasterKind) -> None:
    card = SimCard(new_state(UID, kind), seeded())
    assert run(LockCardSession(OFFICE, VAULT, seeded(), target=VERSION), card)
    assert not run(LockCardSession(OFFICE, VAULT, seeded(), target=VERSION), card)
    issue(card)
    assert verify(card).findings == ()
    run(WipeSession(OFFICE, VAULT, seeded()), card)
    assert card.state.applications == []


@pytest.mark.parametrize("kind", ["aes", "3des"])
def test_a_card_as_delivered_that_lets_nobody_create_is_issued_with_the_factorys_key(kind: MasterKind) -> None:
    card = SimCard(new_state(UID, kind), seeded())
    card.state.key_settings = 0x0B
    issue(card)
    assert verify(card).findings == ()


@pytest.mark.parametrize("heard", [False, True], ids=["unheard", "heard"])
def test_a_torn_lock_is_finished_the_next_time(heard: bool) -> None:
    def locking() -> LockCardSession:
        return LockCardSession(OFFICE, VAULT, seeded(), target=VERSION)

    for after in range(length_of(locking(), blank())):
        card = blank()
        with pytest.raises(errors.CardRemoved):
            torn(locking(), card, after, heard=heard)
        run(locking(), card)
        assert (card.state.master.kind, card.state.master.version) == ("aes", VERSION)


def test_another_persons_card_is_not_overwritten() -> None:
    card = blank()
    issue(card, header=replace(HEADER, card_number="7001234567890124"))
    with pytest.raises(errors.CardTaken, match=r"already is card 700123\*\*\*\*\*\*0124"):
        issue(card)


def test_a_card_with_other_files_is_left_alone() -> None:
    card = blank()
    with pytest.raises(errors.CardRemoved):
        torn(issuing(), card, 12, heard=True)
    files = card.state.applications[0].files
    files[7] = StandardFile("plain", Rights(1), b"?")
    with pytest.raises(errors.CardTaken, match="not planned: 07"):
        issue(card)
    del files[7]
    files[1] = StandardFile("plain", Rights(1), bytes(32))
    with pytest.raises(errors.CardTaken, match="file 01 of the card travels PLAIN, not MAC"):
        issue(card)


def test_a_card_that_is_too_small_says_what_to_do() -> None:
    card = blank()
    aids = [bytes((index, 0, 1)) for index in range(1, 28)]
    card.state.applications += [Application(aid, [KeyState() for _ in range(14)]) for aid in aids]
    with pytest.raises(errors.CardStatusError, match=r"out of memory.*more memory"):
        issue(card)


def test_what_cannot_be_issued_is_refused_before_a_card_is_touched() -> None:
    with pytest.raises(ValueError, match="other parts"):
        issuing(header=CardHeader(NUMBER, "FLT1", "ACME", VERSION))
    with pytest.raises(ValueError, match="entitlement"):
        IssueSession(OFFICE, VAULT, seeded(), layout=LAYOUT, header=HEADER)
    with pytest.raises(ValueError, match="factory"):
        IssueSession(
            OFFICE, VAULT, seeded(), layout=LAYOUT, header=replace(HEADER, key_version=0), entitlement=signed_for
        )
    card = blank()
    with pytest.raises(errors.KeyMissing):
        issue(card, header=replace(HEADER, key_version=9))


def test_a_card_is_held_against_its_layout() -> None:
    card = card_of()
    application = card.state.applications[0]
    file = application.files[2]
    assert isinstance(file, StandardFile)
    file.data = bytes(239)
    application.files[4].rights = Rights(1, 1, 15, 0)
    del application.files[5]
    application.keys[7].version = 2
    found = verify(card, header=replace(HEADER, scheme="OTHR")).findings
    assert found == (
        "file 01 does not say what it should",
        "file 05 is missing",
        "file 04 has the rights f011, not f012",
        "keys 7 are not of version 3, which file 01 names",
        "file 02 was never written",
    )


# --- loading, rotation, the end


def test_a_load_is_one_commit_with_a_proof() -> None:
    card = card_of()
    done = load(card, 70_000)
    assert done.outcome == "applied"
    assert done.proof is not None
    assert done.proof.counter == 1
    found = tap(card).purse
    assert found is not None
    assert (found.value, found.counter) == (70_000, 1)
    over = load(card, 999_999)
    assert (over.outcome, over.error_kind) == ("not_applied", "card_status")


NEXT = VAULT.with_version(VERSION + 1, seeded(21))


def rotating() -> RotateKeysSession:
    return RotateKeysSession(OFFICE, NEXT, seeded(5), target=VERSION + 1)


ROTATION_FRAMES = length_of(rotating(), card_of())


def test_keys_are_rotated_and_both_versions_lie_side_by_side() -> None:
    old, new = card_of(), card_of()
    assert run(rotating(), new).changed == tuple(range(10))
    assert run(rotating(), new).changed == ()
    assert run(VerifySession(OFFICE, NEXT, seeded(), layout=LAYOUT), new).findings == ()
    for card in (old, new):
        assert identify(card, keys=NEXT).card_number == NUMBER
    with pytest.raises(errors.KeyMissing, match="version 4, this station holds 3"):
        identify(new, keys=STATION_KEYS)


@pytest.mark.parametrize("heard", [False, True], ids=["unheard", "heard"])
def test_a_torn_rotation_is_finished_the_next_time(heard: bool) -> None:
    for after in range(ROTATION_FRAMES):
        card = card_of()
        with pytest.raises(errors.CardRemoved):
            torn(rotating(), card, after, heard=heard)
        assert identify(card, keys=NEXT).card_number == NUMBER, "a station goes on with it meanwhile"
        run(rotating(), card)
        assert run(VerifySession(OFFICE, NEXT, seeded(), layout=LAYOUT), card).findings == (), f"frame {after}"


def test_a_card_with_money_is_not_wiped_by_accident() -> None:
    card = loaded()
    with pytest.raises(errors.PurseNotEmpty):
        run(WipeSession(OFFICE, VAULT, seeded()), card)
    with pytest.raises(errors.AnotherCard):
        run(WipeSession(OFFICE, VAULT, seeded(), uid=b"\x04" * 7), card)
    assert run(WipeSession(OFFICE, VAULT, seeded(), uid=UID, lose_purse=True), card) == UID
    issue(card)
    assert verify(card).findings == ()


def test_a_half_made_card_is_wiped() -> None:
    for after in range(8, FRAMES, 9):
        card = blank()
        with pytest.raises(errors.CardRemoved):
            torn(issuing(), card, after, heard=True)
        run(WipeSession(OFFICE, VAULT, seeded()), card)
        assert card.state.applications == []


_GARBAGE = st.one_of(
    st.none(),
    st.binary(max_size=70),
    st.tuples(st.binary(max_size=60), st.sampled_from([0x9100, 0x91AF, 0x91AE, 0x91A0, 0x919D, 0x9000])).map(
        lambda parts: parts[0] + parts[1].to_bytes(2, "big")
    ),
)


@settings(max_examples=80)
@given(st.integers(0, FRAMES), st.lists(_GARBAGE, min_size=1, max_size=4), st.integers(0, 4))
def test_garbage_at_any_step_only_raises_named_errors(at: int, garbage: list[bytes | None], which: int) -> None:
    sessions: list[CardSession[Any]] = [
        issuing(),
        rotating(),
        WipeSession(OFFICE, VAULT, seeded()),
        VerifySession(OFFICE, STATION_KEYS, seeded(), layout=LAYOUT),
        LockCardSession(OFFICE, VAULT, seeded(), target=VERSION),
    ]
    card = blank() if which == 0 else card_of()
    fed_garbage(sessions[which], at, garbage, card.transmit)
