"""A decision made again from its row of the journal, and told in words: each check, what it looked at, what it said.

The row's evidence is all that is needed. Knows no journal, list or clock.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from controller.domain.card_reasons import CARD_REASONS
from controller.domain.decide import (
    CHECKS,
    Approved,
    Case,
    Decision,
    Facts,
    Needs,
    Refusal,
    Request,
    case_of,
    decide,
)
from controller.domain.desk import Need
from controller.domain.funds import Funds
from controller.domain.ladder import MS_PER_HOUR
from controller.domain.lists import MINUTES_A_DAY, ListRow, LookUp, Measure
from controller.domain.pins import ON_CARD, PinAsked
from controller.domain.quantities import CURRENCIES, Currency, decimal_text, money_text
from controller.domain.reasons import CATALOGUE, Reason, limit_text
from controller.domain.records import Authorised, Body, Declined, Evidence, Limits
from controller.domain.seams import MS_PER_S
from controller.domain.tokens import TokenRef

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_NO_CURRENCY = Currency("minor units", 0)
"""Of rows of before the evidence had it."""
STATIONS_OWN = frozenset({Reason.TWO_UNPAID})
"""What the station refuses after a decision that was made well."""


PURSES_OWN = frozenset(
    {
        *CARD_REASONS.values(),
        Reason.CARD_FAULTY,
        Reason.PURSE_MISSING,
        Reason.PURSE_UNSUPPORTED,
        Reason.PURSE_IN_USE,
    }
)
"""What a card's purse, or its reader, may say after such a decision."""


class NotADecision(ValueError):
    """This row was not decided; the text says what it is."""


@dataclass(frozen=True, slots=True)
class Explained:
    """`lines`: in words, top to bottom. `same`: made again, the answer is the one in the journal."""

    lines: tuple[str, ...]
    same: bool


def again(token: TokenRef, evidence: Evidence) -> tuple[Request, Facts, int]:
    """What a decision was made from: request, facts and moment. ValueError if the evidence's row cannot be read."""
    row = msgspec.msgpack.decode(evidence.row, type=ListRow) if evidence.row else None
    if evidence.list_state is None:
        raise ValueError("no list was asked: somebody's word let it go")
    request = Request(
        token=token,
        grade=evidence.grade,
        price=evidence.price,
        currency=CURRENCIES.get(evidence.currency, _NO_CURRENCY),
        plate_key=evidence.plate_key or None,
        odometer_km=evidence.odometer_km,
        grades=evidence.grades,
        pin=evidence.pin,
        driver_key=evidence.driver_key or None,
        granted=evidence.granted,
        wanted_ml=evidence.wanted_ml,
        wanted_minor=evidence.wanted_minor,
        code=evidence.code,
    )
    facts = Facts(
        found=LookUp(evidence.list_state, evidence.list_version, row),
        used_day_ml=evidence.used_day_ml,
        used_day_minor=evidence.used_day_minor,
        last_odometer_km=evidence.last_odometer_km,
        station=evidence.station,
        week_minute=evidence.week_minute,
        used=evidence.used,
        pin_wrong=evidence.pin_wrong,
        contact_age_ms=evidence.contact_age_ms,
        ladder=evidence.ladder,
        available_minor=evidence.available_minor,
        overrun_ml=evidence.overrun_ml,
        odometer_age_ms=evidence.odometer_age_ms,
        odometer_km_a_day=evidence.odometer_km_a_day,
        pin_asked=evidence.pin_asked or _pin_of_before(row),
        card_use=evidence.card_use,
        code_wrong=evidence.code_wrong,
    )
    return request, facts, evidence.at_ms


def _pin_of_before(row: ListRow | None) -> PinAsked | None:
    """Of a row whose evidence has its verifier still: there a card's own was told by how it begins."""
    return PinAsked.BY_CARD if row is not None and row.pin.startswith(ON_CARD) else None


def explain(body: Body) -> Explained:
    """The decision of this row, made again. NotADecision if nothing was decided by a list there."""
    record = body.record
    if not isinstance(record, Authorised | Declined):
        raise NotADecision("this row is no decision: look for rows of kind authorised or declined")
    head = f"row {body.name.text}, {_moment(body.stamp.wall_ms)}: pump {record.point}, nozzle {record.nozzle}"
    if record.token is None or record.evidence.list_state is None:
        raise NotADecision(f"{head}: let go by an attendant's word, without a token: there is nothing to decide again")
    try:
        request, facts, now_ms = again(record.token, _with_wish(record))
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise NotADecision(f"{head}: the list's row in the evidence cannot be read ({error})") from error
    decision = decide(request, facts, now_ms)
    lines = [head, *_steps(case_of(request, facts, now_ms)), f"Decided again: {_said(decision, request.currency)}"]
    same = _same(record, decision)
    lines.append(f"In the journal: {_journalled(record, decision, request.currency)}")
    lines.append(
        "The same answer" if same else "NOT the same answer: this program decides otherwise than the one of then"
    )
    return Explained(tuple(lines), same)


def _with_wish(record: Authorised | Declined) -> Evidence:
    """Rows of before the evidence had what was asked for have it in their limits."""
    evidence = record.evidence
    if isinstance(record, Declined) or evidence.currency:
        return evidence
    limits = record.limits
    return msgspec.structs.replace(
        evidence,
        wanted_ml=limits.volume_ml if "volume:preset" in limits.by else None,
        wanted_minor=limits.amount_minor if "amount:preset" in limits.by else None,
    )


def _same(record: Authorised | Declined, decision: Decision) -> bool:
    match decision, record:
        case Approved(), Authorised():
            who = decision.account, decision.funds
            return who == (record.account, record.funds) and _same_limits(decision.limits, record)
        case Approved(), Declined():
            return _afterwards(record, decision)
        case Refusal(), Declined():
            return record.reason is decision.reason
    return False


def _afterwards(record: Declined, decision: Approved) -> bool:
    """Whether the station refused it after a decision that was made well."""
    by_card = decision.funds is Funds.CARD_PURSE and record.reason in PURSES_OWN
    return by_card or record.reason in STATIONS_OWN


def _same_limits(decided: Limits, record: Authorised) -> bool:
    """Whether these were authorised; what the card's purse then paid for may be less, and is named so."""
    if record.purse is None:
        return decided == record.limits
    before, after = _by_measure(decided), _by_measure(record.limits)
    for measure, (most, name) in after.items():
        was, by = before.get(measure, (None, ""))
        if name != "purse" and (was, by) != (most, name):
            return False
        if name == "purse" and was is not None and most > was:
            return False
    return before.keys() <= after.keys()


def _by_measure(limits: Limits) -> dict[str, tuple[int, str]]:
    """How much, and by which limit."""
    names = dict(part.split(":", 1) for part in limits.by.split(",") if part)
    mosts = {Measure.VOLUME: limits.volume_ml, Measure.AMOUNT: limits.amount_minor}
    return {measure: (most, names.get(measure, "")) for measure, most in mosts.items() if most is not None}


def _steps(case: Case) -> list[str]:
    lines = []
    for number, check in enumerate(CHECKS, 1):
        verdict = check.look(case)
        line = f"{number:2}. {check.name}: {_LOOKED_AT[check.name](case)}"
        match verdict:
            case None:
                lines.append(line)
            case Need():
                return [*lines, f"{line} -> asks for {verdict}"]
            case Reason():
                return [*lines, f"{line} -> {verdict}"]
    return lines


def _said(decision: Decision, currency: Currency) -> str:
    match decision:
        case Refusal(reason):
            return f"declined, {reason}: {CATALOGUE[reason].attendant}"
        case Needs(need):
            return f"asks for {need}"
        case Approved():
            what = "partially approved" if decision.partial else "approved"
            by = f", the smallest limit: {limit_text(decision.held_by)}" if decision.held_by else ""
            return f"{what}, {_limits(decision.limits, currency)}{by}"


def _journalled(record: Authorised | Declined, decision: Decision, currency: Currency) -> str:
    if isinstance(record, Declined):
        after = isinstance(decision, Approved) and _afterwards(record, decision)
        own = " (by the station, after the decision)" if after else ""
        return f"declined, {record.reason}{own}"
    own = ", as far as the card's purse pays" if record.purse is not None else ""
    return f"authorised, {_limits(record.limits, currency)}{own}"


def _limits(limits: Limits, currency: Currency) -> str:
    parts = []
    if limits.volume_ml is not None:
        parts.append(f"at most {_volume(limits.volume_ml)}")
    if limits.amount_minor is not None:
        parts.append(f"at most {money_text(limits.amount_minor, currency)}")
    return " and ".join(parts) or "no limit"


# ---- what each check looked at


def _proof(case: Case) -> str:
    token = case.request.token
    return f"a {token.kind}, {token.assurance}" + (f", at least {case.row.assurance} wanted" if _wants(case) else "")


def _wants(case: Case) -> bool:
    return case.row.assurance.rank > 0


def _list(case: Case) -> str:
    found = case.facts.found
    return f"{found.state}, version {found.version}, {'the token is on it' if found.row else 'the token is not on it'}"


def _validity(case: Case) -> str:
    row = case.row
    first = f"from {_moment(row.valid_from_ms)}" if row.valid_from_ms else "from ever"
    last = f"until {_moment(row.valid_until_ms)}" if row.valid_until_ms else "without end"
    return f"{first}, {last}; it was {_moment(case.now_ms)}"


def _products(case: Case) -> str:
    lifted = case.request.grade or " or ".join(case.request.grades)
    return f"{lifted}; allowed are {case.row.products or 'all'}"


def _stations(case: Case) -> str:
    return f"{case.facts.station or 'this one'}; allowed are {case.row.stations or 'all'}"


def _hours(case: Case) -> str:
    day, minute = divmod(case.facts.week_minute, MINUTES_A_DAY)
    if not case.row.hours:
        return "any time"
    return f"{_DAYS[day % 7]} {minute // 60:02}:{minute % 60:02}; {len(case.row.hours)} times of the week are allowed"


def _pin(case: Case) -> str:
    if case.pin_asked is PinAsked.NO:
        return "none is wanted"
    by = "checked by the card itself, " if case.pin_asked is PinAsked.BY_CARD else ""
    use = case.facts.card_use
    on_card = f", of which its card counts {use.pin_wrong}" if use is not None and use.pin_wrong else ""
    return f"{by}{case.request.pin or 'not typed yet'}, wrong tries in a row: {case.facts.pin_wrong}{on_card}"


def _odometer(case: Case) -> str:
    if not case.row.ask_odometer:
        return "not wanted"
    highest_km = case.facts.highest_odometer_km
    bound = "" if highest_km is None else f", at most {highest_km} km by now"
    return f"{case.request.odometer_km} km, the last one was {case.facts.last_odometer_km} km{bound}"


def _driver(case: Case) -> str:
    if not case.row.drivers:
        return "not wanted"
    return f"one of {len(case.row.drivers)} codes is wanted, wrong tries in a row: {case.facts.code_wrong}"


def _pairing(case: Case) -> str:
    return "for one plate only" if case.row.plate_key else "for any plate"


def _left(case: Case) -> str:
    currency = case.request.currency
    parts = []
    for left in case.lefts:
        most, used = (_measured(number, left.cap.measure, currency) for number in (left.cap.most, left.used))
        said = case.facts.card_use.of(left.cap) if case.facts.card_use is not None else 0
        on_card = f" (its card counts {_measured(said, left.cap.measure, currency)})" if said else ""
        parts.append(f"{left.cap.name} {most}, used {used}{on_card}")
    if case.row.tank_ml:
        parts.append(f"tank {_volume(case.row.tank_ml)}")
    return "; ".join(parts) or "none"


def _funds(case: Case) -> str:
    granted = case.request.granted
    if granted is None or granted.amount_minor is None:
        return str(case.row.funds)
    return f"{case.row.funds}; headquarters granted {money_text(granted.amount_minor, case.request.currency)}"


def _set_apart(case: Case) -> str:
    if case.row.funds is not Funds.PREPAID:
        return "not wanted"
    if case.facts.available_minor is None:
        return "nothing was set apart here"
    margin = f"; pumps may run over by {_volume(case.facts.overrun_ml)}"
    return f"{money_text(case.facts.available_minor, case.request.currency)} left{margin}"


def _age(case: Case) -> str:
    age_ms = case.facts.contact_age_ms
    if age_ms is None:
        return "a station without headquarters: whole limits"
    return f"{age_ms // MS_PER_HOUR} h: {case.percent} % of the limits"


_LOOKED_AT: dict[str, Callable[[Case], str]] = {
    "proof of the token": _proof,
    "card list": _list,
    "stop list": lambda case: str(case.row.status),
    "validity": _validity,
    "product set": _products,
    "stations": _stations,
    "days and hours": _hours,
    "grade": lambda case: case.grade or "not known yet",
    "PIN": _pin,
    "odometer": _odometer,
    "driver": _driver,
    "pairing of card and plate": _pairing,
    "limits": _left,
    "funds": _funds,
    "set apart for offline use": _set_apart,
    "age of the last contact": _age,
}


def _moment(wall_ms: int) -> str:
    """UTC, to the second; a moment beyond the calendar as its number."""
    try:
        return datetime.fromtimestamp(wall_ms // MS_PER_S, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return f"{wall_ms} ms"


def _measured(number: int, measure: Measure, currency: Currency) -> str:
    match measure:
        case Measure.VOLUME:
            return _volume(number)
        case Measure.AMOUNT:
            return money_text(number, currency)
        case Measure.FILLS:
            return f"{number} fills"


def _volume(volume_ml: int) -> str:
    return decimal_text(volume_ml, 3)
