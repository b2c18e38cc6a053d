"""decide(): may this token buy this grade now, and how much? Pure, total, explained.

Every answer carries its evidence, so that it can be made again from the journal alone. Knows no clock, list or
pump: what it needs of them is in the request and the facts.
"""

from dataclasses import dataclass

import msgspec

from controller.domain.desk import Need
from controller.domain.lists import ListRow, ListState, LookUp, Status
from controller.domain.quantities import Currency, UnitPrice, volume_for
from controller.domain.reasons import Reason
from controller.domain.records import Evidence, Funds, Limits
from controller.domain.tokens import Assurance, TokenKind, TokenRef


@dataclass(frozen=True, slots=True)
class Request:
    """Who wants what. `plate_key` and `odometer_km` are answers to needs, None until they were asked for.

    `grades`: what the point has, by nozzle, where its pump does not say which was lifted. Then `grade` is empty, and
    `price` None, until the grade is answered or only one can be meant.
    """

    token: TokenRef
    grade: str
    price: UnitPrice | None
    currency: Currency
    plate_key: bytes | None = None
    odometer_km: int | None = None
    grades: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """What the station knows at this moment: the list's answer and what the journal says was used."""

    found: LookUp
    used_day_ml: int = 0
    used_day_minor: int = 0
    last_odometer_km: int = 0


@dataclass(frozen=True, slots=True)
class Approved:
    """`evidence.grade` is what may be delivered."""

    account: str
    funds: Funds
    limits: Limits
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Refusal:
    reason: Reason
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Needs:
    """Something is still to be asked; the answer comes back as a new request."""

    need: Need
    evidence: Evidence


Decision = Approved | Refusal | Needs

_encode_row = msgspec.msgpack.Encoder().encode


def decide(request: Request, facts: Facts, now_ms: int) -> Decision:
    """The decision for `request` at `now_ms` (UTC). Checks go from token to funds; the first that fails speaks."""
    row = facts.found.row
    grade = request.grade or _only_grade(request.grades, row)
    evidence = Evidence(
        list_version=facts.found.version,
        row=_encode_row(row) if row else b"",
        used_day_ml=facts.used_day_ml,
        used_day_minor=facts.used_day_minor,
        odometer_km=request.odometer_km,
        plate_key=request.plate_key or b"",
        at_ms=now_ms,
        last_odometer_km=facts.last_odometer_km,
        list_state=facts.found.state,
        grade=grade,
        grades=request.grades,
    )
    refused = _refusal(request, facts, row, now_ms)
    if refused is not None:
        return Refusal(refused, evidence)
    assert row is not None  # without a row _refusal() speaks
    if not grade:
        return Needs(Need.GRADE, evidence)
    if row.plate_key and request.plate_key is None and request.token.kind is TokenKind.CARD:
        return Needs(Need.PLATE, evidence)
    if row.plate_key and request.token.kind is TokenKind.CARD and request.plate_key != row.plate_key:
        return Refusal(Reason.PLATE_MISMATCH, evidence)
    if row.ask_odometer and request.odometer_km is None:
        return Needs(Need.ODOMETER, evidence)
    if row.ask_odometer and (request.odometer_km or 0) < facts.last_odometer_km:
        return Refusal(Reason.ODOMETER_IMPLAUSIBLE, evidence)
    limits = _limits(row, facts)
    if limits.volume_ml == 0 or limits.amount_minor == 0:
        return Refusal(Reason.LIMIT_DAY, evidence)
    return Approved(row.account, Funds.POSTPAID, limits, evidence)


def _refusal(request: Request, facts: Facts, row: ListRow | None, now_ms: int) -> Reason | None:
    card = request.token.kind is TokenKind.CARD
    if facts.found.state is ListState.MISSING:
        return Reason.LIST_MISSING
    if facts.found.state is ListState.UNREADABLE:
        return Reason.LIST_UNREADABLE
    if card and request.token.assurance is not Assurance.PROVEN:
        return Reason.CARD_NOT_PROVEN
    if row is None:
        return Reason.CARD_UNKNOWN if card else Reason.PLATE_UNKNOWN
    if row.status is Status.STOPPED:
        return Reason.CARD_BLOCKED
    if row.valid_from_ms and now_ms < row.valid_from_ms:
        return Reason.NOT_YET_VALID
    if row.valid_until_ms and now_ms >= row.valid_until_ms:
        return Reason.EXPIRED
    if not any(row.allows(grade) for grade in ([request.grade] if request.grade else request.grades)):
        return Reason.PRODUCT_NOT_ALLOWED
    return None


def _only_grade(grades: tuple[str, ...], row: ListRow | None) -> str:
    """The grade of the only nozzle that the row allows: nobody need be asked for it. Empty where there are others."""
    allowed = [grade for grade in grades if row is not None and row.allows(grade)]
    return allowed[0] if len(allowed) == 1 else ""


def _limits(row: ListRow, facts: Facts) -> Limits:
    volume_ml, volume_by = _smallest(
        (row.fill_ml or None, "fill"), (max(row.day_ml - facts.used_day_ml, 0) if row.day_ml else None, "day")
    )
    amount_minor, amount_by = _smallest(
        (row.fill_minor or None, "fill"),
        (max(row.day_minor - facts.used_day_minor, 0) if row.day_minor else None, "day"),
    )
    by = ",".join(filter(None, (volume_by and f"volume:{volume_by}", amount_by and f"amount:{amount_by}")))
    return Limits(volume_ml, amount_minor, by)


def _smallest(*limits: tuple[int | None, str]) -> tuple[int | None, str]:
    held = [(limit, name) for limit, name in limits if limit is not None]
    return min(held) if held else (None, "")


def narrow(limits: Limits, wanted_ml: int | None, wanted_minor: int | None) -> Limits:
    """The limits, narrowed by what the attendant or driver asked for."""
    volume_ml, volume_by = _smallest((limits.volume_ml, "limit"), (wanted_ml, "preset"))
    amount_minor, amount_by = _smallest((limits.amount_minor, "limit"), (wanted_minor, "preset"))
    held = dict(part.split(":") for part in limits.by.split(",") if ":" in part)
    if volume_by == "preset":
        held["volume"] = "preset"
    if amount_by == "preset":
        held["amount"] = "preset"
    by = ",".join(f"{what}:{held[what]}" for what in ("volume", "amount") if what in held)
    return Limits(volume_ml, amount_minor, by)


def preset_of(limits: Limits, price: UnitPrice, currency: Currency) -> tuple[int | None, int | None]:
    """The one preset a pump takes, as (volume_ml, amount_minor): the smaller limit at the frozen price.

    (None, None) where nothing is limited.
    """
    if limits.amount_minor is None:
        return limits.volume_ml, None
    if limits.volume_ml is None:
        return None, limits.amount_minor
    if limits.volume_ml <= volume_for(limits.amount_minor, price, currency):
        return limits.volume_ml, None
    return None, limits.amount_minor
