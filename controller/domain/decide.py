"""decide(): may this token buy this grade now, and how much? Pure, total, explained.

A row of checks, in the order in which they speak; then the smallest limit. Every answer carries its evidence, so that
it can be made again from the journal alone (`controller.domain.explain`). Knows no clock, list or pump: what it needs
of them is in the request and the facts.
"""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from controller.domain.card_use import CardUse
from controller.domain.codes import Scanned, refused_code
from controller.domain.desk import Need
from controller.domain.funds import Funds
from controller.domain.headquarters import Granted
from controller.domain.ladder import Ladder
from controller.domain.limits import Bound, Left, binding, bounds_of, lefts, margin_minor, smallest, wanted_bounds
from controller.domain.lists import ListRow, ListState, LookUp, Measure, Status
from controller.domain.pins import TRIES, PinAnswer, PinAsked, pin_asked
from controller.domain.quantities import Currency, UnitPrice
from controller.domain.reasons import Reason, limit_reason
from controller.domain.records import Evidence, Limits
from controller.domain.seams import MS_PER_DAY
from controller.domain.tokens import Assurance, TokenKind, TokenRef


@dataclass(frozen=True, slots=True)
class Request:
    """Who wants what. What answers a need is None until it was asked for.

    `grades`: what the point has, by nozzle, where its pump does not say which was lifted. Then `grade` is empty, and
    `price` None, until the grade is answered or only one can be meant. `wanted_*`: a preset that was asked for.
    """

    token: TokenRef
    grade: str
    price: UnitPrice | None
    currency: Currency
    plate_key: bytes | None = None
    odometer_km: int | None = None
    grades: tuple[str, ...] = ()
    pin: PinAnswer | None = None
    driver_key: bytes | None = None
    granted: Granted | None = None
    wanted_ml: int | None = None
    wanted_minor: int | None = None
    code: Scanned | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What the station knows at this moment: the list's answer and what the journal says was used.

    `used`: by limit of the row's `caps`, in their order. `pin_wrong`, `code_wrong`: wrong PINs and driver's codes in a
    row. `available_minor`: what is left of the money set apart here for this token, None where nothing is.
    `overrun_ml`: what pumps may run past a preset. `contact_age_ms`: None for a station without headquarters.
    `odometer_age_ms`: elapsed since the last reading, None where there is none; `odometer_km_a_day`: 0 where a reading
    has no upper bound. `pin_asked`: as the journal has it, where the row has no verifier any more; else None.
    `card_use`: what the card counts of itself; what is used, and the wrong PINs, are already the larger of the two.
    """

    found: LookUp
    used_day_ml: int = 0
    used_day_minor: int = 0
    last_odometer_km: int = 0
    station: str = ""
    week_minute: int = 0
    used: tuple[int, ...] = ()
    pin_wrong: int = 0
    contact_age_ms: int | None = None
    ladder: Ladder | None = None
    available_minor: int | None = None
    overrun_ml: int = 0
    odometer_age_ms: int | None = None
    odometer_km_a_day: int = 0
    pin_asked: PinAsked | None = None
    card_use: CardUse | None = None
    code_wrong: int = 0

    @property
    def highest_odometer_km(self) -> int | None:
        """The most that the odometer can have come to since the last reading; the day of that counts whole."""
        if self.odometer_age_ms is None or not self.odometer_km_a_day:
            return None
        return self.last_odometer_km + self.odometer_km_a_day * (self.odometer_age_ms // MS_PER_DAY + 1)


@dataclass(frozen=True, slots=True)
class Approved:
    """`evidence.grade` is what may be delivered. `held_by`: the name of the limit that it comes to first, or empty.

    `partial`: it is less than was asked for, or than this token gets when nothing is used and headquarters is heard;
    `reason` says by which kind of limit, else None.
    """

    account: str
    funds: Funds
    limits: Limits
    evidence: Evidence
    held_by: str = ""
    partial: bool = False
    reason: Reason | None = None


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
Verdict = Reason | Need | None
"""What a check says: refused, something is to be asked, or go on."""

_encode_row = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True)
class Case:
    """What the checks look at. `row`: a stopped stranger where the list has none, whom no check lets pass."""

    request: Request
    facts: Facts
    row: ListRow
    grade: str
    now_ms: int

    @property
    def pin_asked(self) -> PinAsked:
        facts = self.facts
        return facts.pin_asked or pin_asked(self.row.pin, on_card=facts.found.pin_on_card)

    @property
    def lefts(self) -> list[Left]:
        facts = self.facts
        return lefts(self.row, facts.used_day_ml, facts.used_day_minor, facts.used)

    @property
    def percent(self) -> int:
        ladder = self.facts.ladder
        return 100 if ladder is None else ladder.percent(self.facts.contact_age_ms)

    @property
    def funds_minor(self) -> Bound | None:
        """The hard bound of a prepaid account: what headquarters granted, or what is set apart here, less a margin."""
        if self.row.funds is not Funds.PREPAID:
            return None
        granted = self.request.granted
        if granted is not None and granted.amount_minor is not None:
            name, most = "funds", granted.amount_minor
        else:
            name, most = "allotment", self.facts.available_minor or 0
        price = self.request.price
        margin = 0 if price is None else margin_minor(self.facts.overrun_ml, price, self.request.currency)
        return Bound(name, Measure.AMOUNT, max(most - margin, 0))


def decide(request: Request, facts: Facts, now_ms: int) -> Decision:
    """The decision for `request` at `now_ms` (UTC). Checks go from token to funds; the first that fails speaks."""
    case = case_of(request, facts, now_ms)
    evidence = _evidence(case)
    for check in CHECKS:
        match check.look(case):
            case Reason() as reason:
                return Refusal(reason, evidence)
            case Need() as need:
                return Needs(need, evidence)
            case None:
                pass
    limits = limits_of(case)
    held_by = binding(limits, request.price, request.currency)
    wanted = wanted_bounds(request.wanted_ml, request.wanted_minor)
    fresh = smallest([*bounds_of(Left(left.cap, 0) for left in case.lefts), *_tank(case), *wanted])
    less = _less(limits.volume_ml, fresh.volume_ml) or _less(limits.amount_minor, fresh.amount_minor)
    partial = bool(less or (wanted and held_by != "preset"))
    return Approved(
        account=case.row.account,
        funds=case.row.funds,
        limits=limits,
        evidence=evidence,
        held_by=held_by,
        partial=partial,
        reason=limit_reason(held_by) if partial else None,
    )


def case_of(request: Request, facts: Facts, now_ms: int) -> Case:
    """What the checks look at."""
    row = facts.found.row
    grade = request.grade or _only_grade(request.grades, row)
    stranger = ListRow(request.token.key, request.token.kind, Status.STOPPED, "")
    return Case(request, facts, row or stranger, grade, now_ms)


def limits_of(case: Case) -> Limits:
    """The smallest limits of all that bound this delivery."""
    bounds = [*bounds_of(case.lefts), *_tank(case)]
    if case.funds_minor is not None:
        bounds.append(case.funds_minor)
    if case.percent < 100:
        bounds += bounds_of(case.lefts, case.percent)
    return smallest([*bounds, *wanted_bounds(case.request.wanted_ml, case.request.wanted_minor)])


# ---- the checks, in the order in which they speak


def _proof(case: Case) -> Verdict:
    token = case.request.token
    if token.assurance is Assurance.PROVEN:
        return refused_code(case.request.code, case.now_ms)
    match token.kind:
        case TokenKind.CARD:
            return Reason.CARD_NOT_PROVEN
        case TokenKind.PHONE:
            return Need.PHONE_CODE if case.facts.found.row is not None else None
        case TokenKind.QR:
            return Reason.QR_NOT_PROVEN
        case TokenKind.PLATE if case.facts.found.row is not None and token.assurance.rank < case.row.assurance.rank:
            return Reason.PLATE_NOT_SURE
        case TokenKind.PLATE | TokenKind.VOUCHER:
            return None


def _listed(case: Case) -> Verdict:
    match case.facts.found.state:
        case ListState.MISSING:
            return Reason.LIST_MISSING
        case ListState.UNREADABLE:
            return Reason.LIST_UNREADABLE
        case ListState.READY:
            return None if case.facts.found.row is not None else _UNKNOWN[case.request.token.kind]


def _stop_list(case: Case) -> Verdict:
    return Reason.CARD_BLOCKED if case.row.status is Status.STOPPED else None


def _validity(case: Case) -> Verdict:
    if case.row.member is not None and not case.row.member.contract_valid:
        return Reason.CONTRACT_NOT_VALID
    if case.row.valid_from_ms and case.now_ms < case.row.valid_from_ms:
        return Reason.NOT_YET_VALID
    if case.row.valid_until_ms and case.now_ms >= case.row.valid_until_ms:
        return Reason.EXPIRED
    return None


def _products(case: Case) -> Verdict:
    request = case.request
    lifted = [request.grade] if request.grade else request.grades
    return None if any(case.row.allows(grade) for grade in lifted) else Reason.PRODUCT_NOT_ALLOWED


def _stations(case: Case) -> Verdict:
    return None if case.row.allows_station(case.facts.station) else Reason.STATION_NOT_ALLOWED


def _hours(case: Case) -> Verdict:
    return None if case.row.allows_time(case.facts.week_minute) else Reason.TIME_NOT_ALLOWED


def _grade(case: Case) -> Verdict:
    return None if case.grade else Need.GRADE


def _pin(case: Case) -> Verdict:
    match case.pin_asked:
        case PinAsked.NO:
            return None
        case PinAsked.UNREADABLE:
            return Reason.PIN_UNREADABLE
        case PinAsked.BY_LIST | PinAsked.BY_CARD:
            pass
    if case.facts.pin_wrong >= TRIES:
        return Reason.PIN_LOCKED
    match case.request.pin:
        case None:
            return Need.PIN
        case PinAnswer.WRONG:
            return Reason.PIN_WRONG
        case PinAnswer.RIGHT:
            return None


def _odometer(case: Case) -> Verdict:
    if not case.row.ask_odometer:
        return None
    told_km, highest_km = case.request.odometer_km, case.facts.highest_odometer_km
    if told_km is None:
        return Need.ODOMETER
    plausible = told_km >= case.facts.last_odometer_km and (highest_km is None or told_km <= highest_km)
    return None if plausible else Reason.ODOMETER_IMPLAUSIBLE


def _driver(case: Case) -> Verdict:
    if not case.row.drivers:
        return None
    if case.facts.code_wrong >= TRIES:
        return Reason.CODE_LOCKED
    if case.request.driver_key is None:
        return Need.CODE
    return None if case.request.driver_key in case.row.drivers else Reason.DRIVER_UNKNOWN


def _pairing(case: Case) -> Verdict:
    if not case.row.plate_key or case.request.token.kind is TokenKind.PLATE:
        return None
    if case.request.plate_key is None:
        return Need.PLATE
    known = (case.row.plate_key, *case.row.more_plates)
    return None if case.request.plate_key in known else Reason.PLATE_MISMATCH


def _used_up(case: Case) -> Verdict:
    for left in case.lefts:
        if left.of(100) <= 0:
            return limit_reason(left.cap.window)
    return None


def _funds(case: Case) -> Verdict:
    granted = case.request.granted
    if case.row.funds is not Funds.PREPAID or granted is None or granted.amount_minor is None:
        return None
    return Reason.INSUFFICIENT_FUNDS if not _some(case.funds_minor) else None


def _set_apart(case: Case) -> Verdict:
    """Headquarters was not asked, or not heard: only what was set apart here before can be spent."""
    granted = case.request.granted
    if case.row.funds is not Funds.PREPAID or (granted is not None and granted.amount_minor is not None):
        return None
    if case.facts.available_minor is not None and _some(case.funds_minor):
        return None
    if granted is None:
        return Need.HEADQUARTERS
    return Reason.NEEDS_HEADQUARTERS if case.facts.available_minor is None else Reason.INSUFFICIENT_FUNDS


def _ladder(case: Case) -> Verdict:
    """`lefts` of a ladder's whole limits have passed `_used_up`: what is at zero here, the ladder has shrunk."""
    return Reason.LIMIT_OFFLINE if any(left.of(case.percent) <= 0 for left in case.lefts) else None


@dataclass(frozen=True, slots=True)
class Check:
    """One question. `name`: what it is about, as it is explained."""

    name: str
    look: Callable[[Case], Verdict]


CHECKS = (
    Check("proof of the token", _proof),
    Check("card list", _listed),
    Check("stop list", _stop_list),
    Check("validity", _validity),
    Check("product set", _products),
    Check("stations", _stations),
    Check("days and hours", _hours),
    Check("grade", _grade),
    Check("PIN", _pin),
    Check("odometer", _odometer),
    Check("driver", _driver),
    Check("pairing of card and plate", _pairing),
    Check("limits", _used_up),
    Check("funds", _funds),
    Check("set apart for offline use", _set_apart),
    Check("age of the last contact", _ladder),
)
"""The tank bounds the volume, and refuses nobody."""
_UNKNOWN = {
    TokenKind.CARD: Reason.CARD_UNKNOWN,
    TokenKind.PLATE: Reason.PLATE_UNKNOWN,
    TokenKind.PHONE: Reason.PHONE_UNKNOWN,
    TokenKind.QR: Reason.QR_UNKNOWN,
    TokenKind.VOUCHER: Reason.VOUCHER_UNKNOWN,
}


# ---- inside


def _only_grade(grades: tuple[str, ...], row: ListRow | None) -> str:
    """The grade of the only nozzle that the row allows: nobody need be asked for it. Empty where there are others."""
    allowed = [grade for grade in grades if row is not None and row.allows(grade)]
    return allowed[0] if len(allowed) == 1 else ""


def _tank(case: Case) -> list[Bound]:
    return [Bound("tank", Measure.VOLUME, case.row.tank_ml)] if case.row.tank_ml > 0 else []


def _some(bound: Bound | None) -> bool:
    return bound is not None and bound.most > 0


def _less(limit: int | None, fresh: int | None) -> bool:
    return limit is not None and (fresh is None or limit < fresh)


def _evidence(case: Case) -> Evidence:
    request, facts, found = case.request, case.facts, case.facts.found
    return Evidence(
        list_version=found.version,
        row=_encode_row(msgspec.structs.replace(found.row, pin="")) if found.row else b"",
        used_day_ml=facts.used_day_ml,
        used_day_minor=facts.used_day_minor,
        odometer_km=request.odometer_km,
        plate_key=request.plate_key or b"",
        at_ms=case.now_ms,
        last_odometer_km=facts.last_odometer_km,
        list_state=found.state,
        grade=case.grade,
        grades=request.grades,
        station=facts.station,
        week_minute=facts.week_minute,
        used=facts.used,
        pin=request.pin,
        pin_wrong=facts.pin_wrong,
        driver_key=request.driver_key or b"",
        price=request.price,
        currency=request.currency.code,
        wanted_ml=request.wanted_ml,
        wanted_minor=request.wanted_minor,
        contact_age_ms=facts.contact_age_ms,
        ladder=facts.ladder,
        available_minor=facts.available_minor,
        overrun_ml=facts.overrun_ml,
        granted=request.granted,
        code=request.code,
        pin_asked=case.pin_asked,
        odometer_age_ms=facts.odometer_age_ms,
        odometer_km_a_day=facts.odometer_km_a_day,
        card_use=facts.card_use,
        code_wrong=facts.code_wrong,
    )
