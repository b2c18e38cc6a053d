"""The laboratory's types of event, each with its fields: what must be there, what may be missing, and nothing else."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from controller.domain.programmes.events import AnyEvent, Enrol, FieldError, Redeem, ReverseSale, Sale, decode

HEAD: dict[str, Any] = {"at": "2026-01-05T10:00:00+03:00", "ref": "e1"}
SALE: dict[str, Any] = {
    "product": "autogas",
    "volume_ml": 40_000,
    "amount_minor": 80_000,
    "tenders": [{"kind": "cash", "amount_minor": 80_000}],
    "station": "S1",
}
FORM = {"name": "Ender", "surname": "Aytekin", "birth_date": "1974-03-20", "phone": "+90"}
EVENTS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "member.enrol",
        {"member": "M1", "kind": "person", "consents": ["information"]},
        {"name": "A", "surname": "B", "phone": "+90", "birth_date": "1974-03-20", "channel": "app"},
    ),
    ("member.activate", {"member": "M1", "channel": "web"}, {}),
    ("member.verify", {"member": "M1"}, {"plate": "34 A 1"}),
    ("member.review", {"member": "M1", "outcome": "take_back"}, {}),
    ("sms", {"from": "+90", "to": "6738", "text": "PARO"}, {}),
    ("contract.open", {"customer": "C1", "discount": {"per_litre_minor": 75}}, {"period": "half"}),
    ("contract.open", {"customer": "C1", "discount": {"percent_bp": 250}}, {"period": "month"}),
    ("contract.open", {"contract": "A", "prepaid": True}, {}),
    ("contract.close", {"contract": "A"}, {}),
    ("contract.close", {"customer": "C1"}, {}),
    ("card.issue", {"holder": "C1", "card": "K1"}, {"product_set": "automatic", "plates": ["34 A 1"]}),
    ("card.link_credit", {"card": "K1", "credit_cards": [{"token": "T", "accepts": False}]}, {}),
    ("card.lost", {"card": "K1"}, {}),
    ("card.replace", {"old_card": "K1", "new_card": "K2", "form": FORM}, {}),
    ("plate.add", {"member": "M1", "plate": "34 A 1"}, {}),
    ("plate.sold", {"member": "M1", "plate": "34 A 1"}, {}),
    ("plate.change", {"member": "M1", "plate": "34 A 1", "new_plate": "34 A 2"}, {}),
    (
        "sale",
        SALE,
        {"card": "K", "plate": "P", "phone": "+90", "qr": "Q", "member": "M", "acquirer": "B", "offline": True},
    ),
    ("sale.reverse", {"sale": "s1"}, {"by": "member"}),
    ("present.after", {"card": "K1", "sale": "s1"}, {}),
    (
        "redeem",
        {"holder": "M1", "product": "gasoline", "points": 1, "proof": {}},
        {"station": "S1", "offline": True},
    ),
    ("voucher.create", {"organisation": "O", "voucher": "V", "points": 1, "user_may_manage": True}, {"plate": "P"}),
    ("voucher.cancel", {"organisation": "O", "voucher": "V", "user_may_manage": False}, {}),
    ("account.pay_in", {"contract": "A", "amount_minor": -1}, {}),
    (
        "order.publish",
        {"order": "O1", "valid_from": "2026-01-01", "tiers": [{"from_ml": 0, "discount_per_m3_minor": 1}]},
        {},
    ),
    ("period.close", {"period": "2026-01"}, {"contract": "A"}),
    ("period.close", {"period": "2026-01a"}, {"customer": "C1"}),
    ("dispute", {"sale": "s1"}, {}),
    ("claim.yes", {"plate": "P", "damaged_at": "2026-01-05T09:00:00+03:00", "repair_minor": 1}, {}),
    ("adjust.fault", {"member": "M1", "points": 1, "fault_in_journal": True, "approved_by_second": False}, {}),
    ("clock", {}, {}),
    ("draw", {"seed": "00ff", "prizes": [{"rank": 1, "count": 2}]}, {}),
]
IDS = [f"{name}-{number}" for number, (name, _, _) in enumerate(EVENTS)]


def read(event_type: str, *fields: dict[str, Any]) -> AnyEvent:
    """The event of these fields, together with type, time and ref."""
    event: dict[str, Any] = {"type": event_type, **HEAD}
    for some in fields:
        event.update(some)
    return decode(json.dumps(event).encode())


def wrong_values(value: Any) -> Iterator[Any]:
    """Values of other kinds than a good one's."""
    kinds: list[Any] = ["text", 1, 1.5, True, {"a": 1}, [[]]]
    yield from (kind for kind in kinds if type(kind) is not type(value))


def test_every_type_of_event_is_tried_here() -> None:
    assert {name for name, _, _ in EVENTS} == {kind.__struct_config__.tag for kind in AnyEvent.__args__}


@pytest.mark.parametrize(("name", "needed", "optional"), EVENTS, ids=IDS)
def test_optional_fields_may_be_missing_and_no_others(
    name: str, needed: dict[str, Any], optional: dict[str, Any]
) -> None:
    """All together, each optional one alone, none of them; without one that is needed the field is named."""
    for some in ({}, optional, *({key: value} for key, value in optional.items())):
        assert read(name, needed, some).ref == "e1"
    for key in needed:
        rest = {field: value for field, value in needed.items() if field != key}
        with pytest.raises(FieldError) as caught:
            read(name, rest, optional)
        assert caught.value.field == key or caught.value.field in ("customer", "contract"), key


@pytest.mark.parametrize(("name", "needed", "optional"), EVENTS, ids=IDS)
def test_a_field_of_a_wrong_kind_or_one_too_many_is_named(
    name: str, needed: dict[str, Any], optional: dict[str, Any]
) -> None:
    for key, value in {**needed, **optional}.items():
        for wrong in wrong_values(value):
            with pytest.raises(FieldError) as caught:
                read(name, needed, optional, {key: wrong})
            assert caught.value.field.partition("[")[0].partition(".")[0] == key, (key, wrong)
    with pytest.raises(FieldError) as caught:
        read(name, needed, optional, {"nonsense": 1})
    assert caught.value.field == "nonsense"


@pytest.mark.parametrize(
    ("name", "field", "values"),
    [
        ("member.enrol", "kind", ["person", "organisation"]),
        ("member.enrol", "channel", ["station", "sms", "web", "app"]),
        ("member.review", "outcome", ["clear", "take_back"]),
        ("card.issue", "product_set", ["lpg", "automatic"]),
        ("sale", "product", ["gasoline", "diesel", "autogas", "cng"]),
        ("sale.reverse", "by", ["member", "company"]),
        ("period.close", "period", ["2026-12", "2026-12a", "2026-12b"]),
        (
            "redeem",
            "proof",
            [{"otp": True}, {"pin": "ok"}, {"pin": "wrong"}, {"voucher": "V"}, {"voucher": "V", "driver_pin": "wrong"}],
        ),
        (
            "sale",
            "tenders",
            [
                [{"kind": kind, "amount_minor": 80_000}]
                for kind in ("cash", "electronic", "account", "pay_and_go", "points")
            ],
        ),
    ],
)
def test_each_value_that_a_field_may_have(name: str, field: str, values: list[Any]) -> None:
    needed = next(needed for known, needed, _ in EVENTS if known == name)
    for value in values:
        assert read(name, needed, {field: value}).ref == "e1"
    with pytest.raises(FieldError) as caught:
        read(name, needed, {field: "nonsense"})
    assert caught.value.field == field


def test_what_is_left_out_means() -> None:
    """A member is enrolled at a station, a sale is online and in the own network, the company reverses."""
    found = [
        read(name, next(needed for known, needed, _ in EVENTS if known == name))
        for name in ("member.enrol", "sale", "sale.reverse", "redeem")
    ]
    match found:
        case [Enrol() as enrol, Sale() as sale, ReverseSale() as reverse, Redeem() as redeem]:
            assert enrol.channel == "station"
            assert (sale.offline, sale.acquirer) == (False, None)
            assert reverse.by == "company"
            assert not redeem.offline
        case _:
            pytest.fail(f"other events than asked for: {found}")
