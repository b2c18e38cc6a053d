"""A programme: its file checked, and for each day the rules that are in force on it. Text in, no file opened here."""

import re
import tomllib
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from controller.domain.programmes.rules import (
    PRODUCTS,
    AbuseRule,
    ClaimRule,
    DisputeRule,
    EarnRule,
    ExpiryRule,
    FaultRule,
    InactivityRule,
    MembershipRule,
    OfflineRule,
    OrderRule,
    PayAndGoRule,
    PlateRule,
    PrepaidRule,
    ProductSetRule,
    ProgrammeFile,
    ProofRule,
    PurseRule,
    Rule,
    SmsRule,
    StageRule,
    Switch,
    VoucherRule,
)
from controller.domain.quantities import CURRENCIES, Currency

BASIS_POINTS = 10_000
_AnyRule = TypeVar("_AnyRule", bound=Rule)
_Wrong = Callable[[str, str], "ProgrammeError"]


class ProgrammeError(ValueError):
    """A programme's file cannot be used; the text names file and key and says what was expected."""


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules in force on one day. None (or empty): the programme has no such thing on it."""

    stage: StageRule | None
    earned_before: bool
    """Whether an earlier stage let points be earned: a stage that does not is then the end, not the time before."""
    spent_before: bool
    purses: dict[str, PurseRule]
    purse_of: dict[str, str]
    """By product: what it is paid from."""
    earns_into: dict[str, str]
    """By product: where its points go; empty where no purse is there for them."""
    earn: dict[str, tuple[EarnRule, ...]]
    """By product."""
    expiry: ExpiryRule | None
    inactivity: InactivityRule | None
    membership: MembershipRule
    proofs: dict[str, ProofRule]
    voucher: VoucherRule | None
    plates: PlateRule | None
    caps: dict[str, int]
    abuse: AbuseRule | None
    dispute: DisputeRule | None
    fault: FaultRule | None
    sms: SmsRule | None
    pay_and_go: PayAndGoRule | None
    product_sets: dict[str, ProductSetRule]
    rebate: Switch | None
    prepaid: PrepaidRule | None
    volume_discount: Switch | None
    order: OrderRule | None
    claim: ClaimRule | None
    present_after: Switch | None
    draw: Switch | None
    offline: OfflineRule | None
    declines_unknown: bool
    """Whether a token that the programme does not know gets no fuel on it."""


class Programme:
    """A programme's file, and the rules of any day."""

    def __init__(self, file: ProgrammeFile, currency: Currency, zone: ZoneInfo) -> None:
        self.file = file
        self.name = file.programme.name
        self.currency = currency
        self.zone = zone
        self.tokens = frozenset(file.programme.tokens)
        self.purse_names = tuple(dict.fromkeys(rule.name for rule in file.purse))
        days = {rule.since.toordinal() for rule in _all_rules(file)}
        days |= {rule.until.toordinal() for rule in _all_rules(file) if rule.until is not None}
        self._changes = sorted(days)
        self._sets: dict[int, RuleSet] = {}

    def __deepcopy__(self, memo: object) -> "Programme":
        return self  # rules never change, so that copies of books may share them

    def on(self, day: int) -> RuleSet:
        """The rules in force on a local day (date.toordinal)."""
        segment = bisect_right(self._changes, day)
        found = self._sets.get(segment)
        if found is None:
            found = self._sets[segment] = _rules_on(self.file, day)
        return found

    def next_change(self, day: int) -> int | None:
        """The first day after this one on which any rule begins or ends."""
        at = bisect_right(self._changes, day)
        return self._changes[at] if at < len(self._changes) else None


def parse(text: str, where: str) -> Programme:
    """The programme of a file's text; `where` names the file in messages. ProgrammeError says what is wrong."""
    try:
        raw = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:  # the latter of brackets in brackets without end
        raise ProgrammeError(f"{where}: not TOML: {error}") from error
    try:
        file = msgspec.convert(raw, ProgrammeFile)
    except msgspec.ValidationError as error:
        raise ProgrammeError(f"{where}: {_readable(str(error))}") from error
    return _check(file, where)


def _readable(text: str) -> str:
    """msgspec's words with the key first: "earn[0].purse: expected str, got int"."""
    what, _, path = text.partition(" - at `$")
    key = path.rstrip("`").lstrip(".")
    field = re.fullmatch(r"Object (contains unknown|missing required) field `(.*)`", what)
    if field is not None:
        full = f"{key}.{field[2]}" if key else field[2]
        if field[1] == "contains unknown":
            return f"{full}: there is no such key: see docs/programmes.md for those that are"
        return f"{full}: expected this key, it is missing"
    return f"{key or 'file'}: {what[:1].lower()}{what[1:]}".replace("`", "")


def _all_rules(file: ProgrammeFile) -> Iterable[Rule]:
    for field in msgspec.structs.fields(file):
        if field.name != "programme":
            yield from getattr(file, field.name)


def _in_force(rules: Iterable[_AnyRule], day: int) -> _AnyRule | None:
    """Of rules of one kind, the latest begun, unless it has ended. Of two of one date, the later in the file."""
    found: _AnyRule | None = None
    for rule in rules:
        if rule.since.toordinal() <= day and (found is None or rule.since >= found.since):
            found = rule
    return None if found is None or (found.until is not None and found.until.toordinal() <= day) else found


def _by_key(rules: Iterable[_AnyRule], key: Callable[[_AnyRule], str], day: int) -> dict[str, _AnyRule]:
    groups: dict[str, list[_AnyRule]] = {}
    for rule in rules:
        groups.setdefault(key(rule), []).append(rule)
    return {name: found for name, group in groups.items() if (found := _in_force(group, day)) is not None}


def _rules_on(file: ProgrammeFile, day: int) -> RuleSet:
    purses = _by_key(file.purse, lambda rule: rule.name, day)
    purse_of: dict[str, str] = {product: purse.name for purse in purses.values() for product in purse.products}
    by_name = _by_key(file.earn, lambda rule: rule.name, day).values()
    earn: dict[str, tuple[EarnRule, ...]] = {
        product: tuple(rule for rule in by_name if product in rule.products) for product in PRODUCTS
    }
    earns_into = {product: rules[0].purse if rules else purse_of.get(product, "") for product, rules in earn.items()}
    begun = [rule for rule in file.stage if rule.since.toordinal() <= day]
    return RuleSet(
        stage=_in_force(file.stage, day),
        earned_before=any(rule.earning for rule in begun),
        spent_before=any(rule.spending for rule in begun),
        purses=purses,
        purse_of=purse_of,
        earns_into={product: name if name in purses else "" for product, name in earns_into.items()},
        earn=earn,
        expiry=_in_force(file.expiry, day),
        inactivity=_in_force(file.inactivity, day),
        membership=_in_force(file.membership, day) or MembershipRule(since=date.min),
        proofs=_by_key(file.proof, lambda rule: rule.holder, day),
        voucher=_in_force(file.voucher, day),
        plates=_in_force(file.plates, day),
        caps={name: rule.most for name, rule in _by_key(file.cap, lambda rule: rule.limit, day).items()},
        abuse=_in_force(file.abuse, day),
        dispute=_in_force(file.dispute, day),
        fault=_in_force(file.fault, day),
        sms=_in_force(file.sms, day),
        pay_and_go=_in_force(file.pay_and_go, day),
        product_sets=_by_key(file.product_set, lambda rule: rule.name, day),
        rebate=_in_force(file.rebate, day),
        prepaid=_in_force(file.prepaid, day),
        volume_discount=_in_force(file.volume_discount, day),
        order=_in_force(file.order, day),
        claim=_in_force(file.claim, day),
        present_after=_in_force(file.present_after, day),
        draw=_in_force(file.draw, day),
        offline=_in_force(file.offline, day),
        declines_unknown=file.programme.unknown_token == "decline",
    )


def _check(file: ProgrammeFile, where: str) -> Programme:
    def wrong(key: str, what: str) -> ProgrammeError:
        return ProgrammeError(f"{where}: {key}: {what}")

    currency = CURRENCIES.get(file.programme.currency)
    if currency is None:
        codes = ", ".join(sorted(CURRENCIES))
        raise wrong("programme.currency", f"{file.programme.currency!r}: expected one of {codes}")
    try:
        zone = ZoneInfo(file.programme.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise wrong("programme.zone", f"{file.programme.zone!r}: expected a name such as Europe/Istanbul") from error
    if not file.stage:
        raise wrong("stage", "expected at least one: it says from when the programme runs")
    for field in msgspec.structs.fields(file):
        for index, rule in enumerate(getattr(file, field.name) if field.name != "programme" else ()):
            if rule.until is not None and rule.until <= rule.since:
                raise wrong(f"{field.name}[{index}].until", f"{rule.until}: expected a day after from ({rule.since})")
    _check_earning(file, wrong)
    _check_claims(file, wrong)
    _check_dates(file, wrong)
    programme = Programme(file, currency, zone)
    _check_purses(programme, wrong)
    return programme


def _check_earning(file: ProgrammeFile, wrong: _Wrong) -> None:
    purses = {rule.name for rule in file.purse}
    for index, rule in enumerate(file.earn):
        key = f"earn[{index}]"
        if rule.purse not in purses:
            raise wrong(f"{key}.purse", f"{rule.purse!r}: expected the name of a purse{_names(purses)}")
        if rule.kind == "percent" and not 1 <= rule.basis_points <= BASIS_POINTS:
            raise wrong(f"{key}.basis_points", f"{rule.basis_points}: expected 1 to {BASIS_POINTS} for kind percent")
        for name in ("points", "every_minor") if rule.kind == "steps" else ():
            if not getattr(rule, name):
                raise wrong(f"{key}.{name}", "0: expected a number above zero for kind steps")


def _check_claims(file: ProgrammeFile, wrong: _Wrong) -> None:
    sets = {rule.name for rule in file.product_set}
    for index, rule in enumerate(file.claim):
        for name in rule.product_sets:
            if name not in sets:
                key = f"claim[{index}].product_sets"
                raise wrong(key, f"{name!r}: expected the name of a product set{_names(sets)}")


def _names(known: Iterable[str]) -> str:
    """For the end of a message: which names there are."""
    names = ", ".join(sorted(known))
    return f": {names}" if names else ", and there is none"


def _check_dates(file: ProgrammeFile, wrong: _Wrong) -> None:
    for index, rule in enumerate(file.expiry):
        try:
            date(2023, rule.month, rule.day)
        except ValueError as error:
            raise wrong(f"expiry[{index}].day", f"{rule.day}: expected a day that month {rule.month} has") from error
    for at, ladder in enumerate(file.offline):
        hours = [rung.hours for rung in ladder.ladder]
        if hours != sorted(set(hours)):
            raise wrong(f"offline[{at}].ladder", "expected hours that grow from rung to rung")


def _check_purses(programme: Programme, wrong: _Wrong) -> None:
    """One product, one purse: on every day on which anything changes."""
    for day in programme._changes:
        rules = programme.on(day)
        for product in PRODUCTS:
            spendable = [name for name, purse in rules.purses.items() if product in purse.products]
            if len(spendable) > 1:
                raise wrong("purse", f"{product} is in {' and '.join(spendable)}: expected one purse for a product")
            earned = {rule.purse for rule in rules.earn[product]}
            if len(earned) > 1:
                names = " and ".join(sorted(earned))
                raise wrong("earn", f"{product} earns to {names}: expected one purse for a product")
        defaults = [name for name, kind in rules.product_sets.items() if kind.default]
        if rules.product_sets and len(defaults) != 1:
            on = f"on {date.fromordinal(day)}: it is for cards that name none"
            raise wrong("product_set", f"expected one with default = true {on}")
