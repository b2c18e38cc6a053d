"""What a line of events must be: everything else stops the run, and the message names line and field."""

import json
from typing import Any

import pytest

from controller.domain.programmes.lab import LabError, Laboratory
from controller.office.programme_commands import shipped

AT = "2026-01-05T10:00:00+03:00"
SALE = {
    "product": "diesel",
    "volume_ml": 1,
    "amount_minor": 1,
    "tenders": [{"kind": "cash", "amount_minor": 1}],
    "station": "S1",
}


def error(*events: dict[str, Any] | bytes) -> str:
    """The message that stops a run with these lines."""
    lines = [event if isinstance(event, bytes) else json.dumps(event).encode() for event in events]
    with pytest.raises(LabError) as caught:
        list(Laboratory(shipped("opet-kart")).answers(lines, "events.jsonl"))
    return str(caught.value)


def event(event_type: str, **fields: Any) -> dict[str, Any]:
    return {"at": AT, "ref": "e1", "type": event_type, **fields}


@pytest.mark.parametrize(
    ("wrong", "field", "says"),
    [
        (event("nonsense"), "type", "nonsense"),
        ({"at": AT, "ref": "e1"}, "type", "missing"),
        ({"ref": "e1", "type": "clock"}, "at", "missing"),
        ({"at": AT, "type": "clock"}, "ref", "missing"),
        (event("clock", more=1), "more", "no such field"),
        (event("sale", **{**SALE, "amount_minor": "1"}), "amount_minor", "expected int, got str"),
        (event("sale", **{**SALE, "amount_minor": 1.0}), "amount_minor", "expected int, got float"),
        (event("sale", **{**SALE, "amount_minor": True}), "amount_minor", "expected int, got bool"),
        (event("sale", **{**SALE, "volume_ml": -1}), "volume_ml", ">= 0"),
        (event("sale", **{**SALE, "volume_ml": 10**30}), "volume_ml", "<= 1000000000000000"),
        (event("account.pay_in", contract="A", amount_minor=-(10**30)), "amount_minor", ">= -1000000000000000"),
        (event("sale", **{**SALE, "product": "kerosene"}), "product", "kerosene"),
        (event("sale", **{**SALE, "tenders": [{"kind": "gold", "amount_minor": 1}]}), "tenders[0].kind", "gold"),
        (event("sale", **{**SALE, "tenders": [{"kind": "cash"}]}), "tenders[0].amount_minor", "missing"),
        (event("sale", **{**SALE, "offline": "no"}), "offline", "expected bool"),
        (event("member.enrol", member="M", kind="robot", consents=[]), "kind", "robot"),
        (event("member.enrol", member="M", kind="person"), "consents", "missing"),
        (event("member.enrol", member="", kind="person", consents=[]), "member", "length >= 1"),
        (
            event("member.enrol", member="M", kind="person", consents=[], birth_date="20.03.1974"),
            "birth_date",
            "invalid",
        ),
        (event("contract.open", customer="C", contract="A", prepaid=True), "customer", "either"),
        (event("contract.open", customer="C"), "discount", "missing"),
        (event("contract.open", contract="A"), "prepaid", "missing"),
        (event("contract.open", contract="A", prepaid=True, period="half"), "period", "no such field"),
        (event("contract.open", customer="C", prepaid=True, discount={"percent_bp": 1}), "prepaid", "no such field"),
        (event("contract.open", customer="C", discount={}), "discount", "either"),
        (event("contract.open", customer="C", discount={"litre": 1}), "discount.litre", "no such field"),
        (event("contract.close"), "contract", "either"),
        (event("period.close", period="2026-13"), "period", "2026-01a"),
        (event("period.close", period="2026-01c"), "period", "2026-01a"),
        (event("period.close", period="9999-12"), "period", "2026-01a"),
        (event("period.close", period="1899-12"), "period", "2026-01a"),
        (event("period.close", period="2026-01", contract="A", customer="C"), "customer", "either"),
        (event("claim.yes", plate="P", damaged_at="2026-01-05", repair_minor=1), "damaged_at", "offset"),
        (event("draw", seed="xyz", prizes=[]), "seed", "hex"),
        (event("draw", seed="", prizes=[]), "seed", "byte"),
        (event("redeem", holder="M", product="diesel", points=0, proof={}), "points", ">= 1"),
        (event("redeem", holder="M", product="diesel", points=1, proof={"pin": "1234"}), "proof.pin", "1234"),
        (event("redeem", holder="M", product="diesel", points=1, proof={"face": True}), "proof.face", "no such field"),
        ({**event("clock"), "at": "2026-01-05T10:00:00"}, "at", "offset"),
        ({**event("clock"), "at": "yesterday"}, "at", "yesterday"),
        ({**event("clock"), "at": "2026-02-30T10:00:00Z"}, "at", "offset"),
        ({**event("clock"), "at": 5}, "at", "expected str"),
    ],
)
def test_a_wrong_event_is_an_error_naming_line_and_field(wrong: dict[str, Any], field: str, says: str) -> None:
    """Unknown types or fields, and wrong kinds of values."""
    text = error({**event("clock"), "ref": "e0", "at": "2026-01-05T09:00:00+03:00"}, wrong)
    assert text.startswith(f"events.jsonl, line 2, field {field}: ")
    assert says in text


def test_a_repeated_ref_is_an_error() -> None:
    assert error(event("clock"), event("clock")).startswith("events.jsonl, line 2, field ref: 'e1'")


def test_the_ref_of_a_declined_event_is_used_too() -> None:
    assert "field ref" in error(event("dispute", sale="x"), event("clock"))


def test_time_never_goes_back_whatever_the_offset() -> None:
    """10:00+03:00 is before 07:00:00.000001Z."""
    first = {**event("clock"), "ref": "e0", "at": "2026-01-05T07:00:00.000001Z"}
    assert error(first, event("clock")).startswith("events.jsonl, line 2, field at: ")


def test_two_events_of_one_moment_are_good() -> None:
    lines = [json.dumps({**event("clock"), "ref": ref}).encode() for ref in ("a", "b")]
    lines.append(json.dumps({**event("clock"), "ref": "c", "at": "2026-01-05T07:00:00Z"}).encode())
    assert len(list(Laboratory(shipped("opet-kart")).answers(lines, "x"))) == 3


@pytest.mark.parametrize("line", [b"{", b"[]", b"5", b'{"a":1} {"b":2}', b"\xff", b'{"at": "\xff"}', b"[" * 5000])
def test_what_is_no_object_of_json_is_an_error_naming_the_line(line: bytes) -> None:
    assert error(line).startswith("events.jsonl, line 1")


def test_the_mark_that_some_programs_put_before_text_is_passed_over() -> None:
    """A byte order mark stands at the beginning of a file only."""
    line = b"\xef\xbb\xbf" + json.dumps(event("clock")).encode()
    assert len(list(Laboratory(shipped("opet-kart")).answers([line], "x"))) == 1
    assert error(event("clock"), line).startswith("events.jsonl, line 2: not a line of JSON")


def test_what_no_book_can_hold_stops_the_run() -> None:
    """A discount of 10,000,000,000,000 TL a litre, and as many litres."""
    most = 10**15
    lines: list[dict[str, Any]] = [
        {"type": "contract.open", "customer": "C", "discount": {"per_litre_minor": most}},
        {"type": "card.issue", "holder": "C", "card": "K"},
        {"type": "sale", **SALE, "card": "K", "product": "autogas", "volume_ml": most},
    ]
    events = [json.dumps({"at": AT, "ref": str(number), **line}).encode() for number, line in enumerate(lines)]
    with pytest.raises(LabError, match=r"^x, line 3: .* too large"):
        list(Laboratory(shipped("lpg-pass")).answers(events, "x"))


def test_empty_lines_are_passed_over_and_counted() -> None:
    assert error(b"\n", b"  \n", b"x\n").startswith("events.jsonl, line 3")


def test_every_answer_has_ref_result_reason_and_balances() -> None:
    line = json.dumps(event("clock")).encode()
    (answer,) = Laboratory(shipped("opet-kart")).answers([line], "x")
    assert json.loads(answer) == {"ref": "e1", "result": "accepted", "reason": None, "balances": {}}
