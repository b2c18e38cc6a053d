"""A PIN that three wrong ones locked: unlocked by a person of the office, with who and why, and by nobody else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from controller.domain.programmes.events import FieldError, decode
from controller.domain.questions import RedeemAnswer, RedeemAsk
from controller.domain.tokens import TokenKind, token_key
from controller.pincheck import make_verifier
from sync.hq.programmes.asks import MemberAnswer, MemberAsk, PinAnswer, PinAsk
from sync.hq.programmes.office_asks import OfficeAnswer, OfficeAsk, UnlockAsk
from sync.hq.programmes.statements import DeskError
from tests.hq_programmes.bench import SECRET, Office
from tests.hq_programmes.test_commands import entered, run
from tests.hq_programmes.test_five import enrolled, event
from tests.hq_programmes.test_list import imported
from tests.hq_programmes.test_redemptions import NOW
from tests.hq_programmes.test_vouchers import Apart, verifier

BY, WHY = "A. Demir, call centre", "the driver called, form 17"


def spend(world: Apart, command_id: str, pin: str, now_ms: int = NOW) -> Any:
    key = token_key(SECRET, TokenKind.VOUCHER, "V-001")
    ask = RedeemAsk(TokenKind.VOUCHER, key, "diesel", 100, "d1", now_ms, pin=pin, voucher="V-001")
    return world.lane.ask(ask, command_id, now_ms)


def locked() -> Apart:
    world = Apart(1_000)
    assert [spend(world, f"w{number}", "0000").reason for number in range(3)] == [
        "pin_wrong",
        "pin_wrong",
        "pin_locked",
    ]
    assert spend(world, "w4", "4711").reason == "pin_locked"
    return world


def unlock(
    office: Office, name: str = "V-001", *, voucher: bool = True, now_ms: int = NOW + 60_000, **more: Any
) -> Any:
    given = {"by": BY, "why": WHY, **more}
    return office.desk.answer(UnlockAsk(office.name, name, voucher=voucher, **given), now_ms)


def pin_version(office: Office, folder: Path) -> int:
    found = imported(office, folder, "VND", "2023-01-10T00:00:00+07:00")
    return found[token_key(SECRET, TokenKind.VOUCHER, "V-001")].pin_version


def test_a_voucher_is_unlocked_and_its_pin_is_good_again(tmp_path: Path) -> None:
    world = locked()
    told = world.office.desk.answer(MemberAsk(world.office.name, "M1"), NOW)
    assert isinstance(told, MemberAnswer)
    assert "voucher ****1 locked" in told.state
    before = pin_version(world.office, tmp_path)
    unlock(world.office)
    world.office.restart()
    world.lane.restart()
    assert isinstance(spend(world, "c1", "4711", NOW + 61_000), RedeemAnswer)
    assert pin_version(world.office, tmp_path) == before + 1, "stations forget wrong ones too, with the next list"
    assert [spend(world, f"x{number}", "0000", NOW + 62_000).reason for number in range(3)][-1] == "pin_locked"


def test_a_new_pin_goes_with_it_and_the_old_one_is_wrong() -> None:
    world = locked()
    unlock(world.office, verifier=verifier("2222"))
    assert spend(world, "c1", "4711", NOW + 61_000).reason == "pin_wrong"
    assert isinstance(spend(world, "c2", "2222", NOW + 62_000), RedeemAnswer)


def test_an_organisations_pin_is_unlocked_as_well() -> None:
    world = Apart(0)
    lane = world.lane
    world.office.desk.answer(PinAsk(world.office.name, "M1", make_verifier("1234", b"s" * 16, cost=2)), NOW)
    assert [lane.redeem(10, f"w{number}", pin="9999").reason for number in range(3)][-1] == "pin_locked"
    set_anew = world.office.desk.answer(PinAsk(world.office.name, "M1", verifier("2222")), NOW)
    assert set_anew == PinAnswer("M1", locked=True), "a new PIN alone unlocks nothing, and that is said"
    assert lane.redeem(10, "c0", pin="2222").reason == "pin_locked"
    unlock(world.office, "M1", voucher=False)
    assert isinstance(lane.redeem(10, "c1", NOW + 61_000, pin="2222"), RedeemAnswer)


def test_who_and_why_is_kept_and_asked_for() -> None:
    world = locked()
    wrong: list[dict[str, Any]] = [{"by": " "}, {"why": ""}, {"why": "x" * 501}]
    for more in wrong:
        with pytest.raises(DeskError, match="expected who unlocks it"):
            unlock(world.office, **more)
    with pytest.raises(DeskError, match="knows no V-009"):
        unlock(world.office, "V-009")
    unlock(world.office)
    unlock(world.office, now_ms=NOW + 120_000, verifier=verifier("2222"))
    world.office.restart()
    told = world.office.desk.answer(OfficeAsk(world.office.name), NOW)
    assert isinstance(told, OfficeAnswer)
    assert [(each.at, each.what, each.of, each.by, each.why) for each in told.deeds] == [
        ("2023-01-06T10:01:00+07:00", "PIN unlocked", "voucher ****1", BY, WHY),
        ("2023-01-06T10:02:00+07:00", "PIN unlocked", "voucher ****1", BY, WHY),
    ]


def test_a_pin_that_nobody_asks_for_any_more_is_not_unlocked() -> None:
    world = locked()
    with pytest.raises(DeskError, match=r"\*\*\*\*1 is cancelled, or has expired: there is no PIN to unlock"):
        unlock(world.office, now_ms=NOW + 1_000 * 86_400_000)
    gone = event("2023-01-06T11:00:00+07:00", "voucher.cancel", "x", organisation="M1", voucher="V-002")
    made = {**gone, "type": "voucher.create", "ref": "y", "points": 10, "at": "2023-01-06T10:30:00+07:00"}
    later = NOW + 7_200_000
    world.office.enter([{**each, "user_may_manage": True} for each in (made, gone)], later)
    with pytest.raises(DeskError, match="cancelled, or has expired"):
        unlock(world.office, "V-002", now_ms=later)
    told = world.office.desk.answer(OfficeAsk(world.office.name), NOW)
    assert isinstance(told, OfficeAnswer)
    assert told.deeds == (), "what was refused was not done"


def test_a_person_who_proves_by_a_code_has_no_pin_to_unlock() -> None:
    office = Office("petrolimex-id")
    office.enter(enrolled("2023-01-05T10:00:00+07:00"))
    with pytest.raises(DeskError, match="petrolimex-id asks M1 for no PIN: there is none to unlock"):
        unlock(office, "M1", voucher=False)


def test_the_laboratory_and_files_of_events_know_no_such_event() -> None:
    line = b'{"at":"2026-01-05T10:00:00+03:00","type":"pin.unlock","ref":"u","voucher":"V","by":"A","why":"B"}'
    with pytest.raises(FieldError):
        decode(line)


def test_the_command(config: Path) -> None:
    at = "2026-01-05T10:00:00+07:00"
    entered(config, "petrolimex-id", [*enrolled(at, kind="organisation"), event(at, "member.verify", "v", member="M1")])
    words = ("unlock", "petrolimex-id", "M1", "--by", BY, "--why", WHY)
    assert run(config, *words).stdout == "the PIN of M1 is unlocked\n"
    done = run(config, *words, "--new-pin", typed="1234\n1234\n")
    assert "the PIN of M1 is unlocked, and is a new one\n" in done.stdout
    assert "1234" not in done.stdout
    shown = run(config, "office", "petrolimex-id").stdout
    assert shown.count(BY) == 2
    assert WHY in shown
    assert run(config, "unlock", "petrolimex-id", "M1", "--by", BY).exit_code == 2, "why is asked for"
