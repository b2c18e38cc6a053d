"""quote(): what a sale would earn or cost, and whether it may be made. Pure; the station and headquarters ask the same.

What is known of the buyer is a `Standing`: headquarters makes it from its books, a station from what it was sent. A
quote made without headquarters is provisional where a limit over all stations may still cut it.
"""

from typing import Literal

import msgspec

from controller.domain.programmes.caps import cut_points
from controller.domain.programmes.events import Discount
from controller.domain.programmes.programme import BASIS_POINTS, RuleSet
from controller.domain.programmes.reasons import Reason
from controller.domain.programmes.rules import EarnRule, Product
from controller.domain.quantities import MILLI

PlateStanding = Literal["none", "bound", "binds", "not_verified", "plate_limit", "plate_in_use"]


class SaleFacts(msgspec.Struct, frozen=True, gc=False):
    """A sale, made or about to be made. `electronic_minor` includes what is charged by pay-and-go.

    `elsewhere`: at a station of another network.
    """

    product: Product
    volume_ml: int
    amount_minor: int
    cash_minor: int = 0
    electronic_minor: int = 0
    pay_and_go_minor: int = 0
    points_minor: int = 0
    card: str = ""
    offline: bool = False
    code_given: bool = False
    elsewhere: bool = False

    @property
    def account_minor(self) -> int:
        """What neither cash nor a bank nor points pay."""
        return max(self.amount_minor - self.cash_minor - self.electronic_minor - self.points_minor, 0)


class Standing(msgspec.Struct, frozen=True, gc=False):
    """What is known of the buyer. `holder` is empty for an anonymous sale.

    `token_reason`: what is wrong with the token that was shown. `product_set`: the card's, empty without a card.
    `verified`, `remote`: whether the phone was verified at a station, and whether the membership was made by web or
    app. `balance_minor`: of an account paid in advance; None where there is none. `discount`: the contract's.
    """

    holder: str = ""
    token_reason: Reason | None = None
    by_card: bool = False
    product_set: str = ""
    contract_valid: bool = True
    cancelled: bool = False
    suspended: bool = False
    verified: bool = False
    remote: bool = False
    plate: PlateStanding = "none"
    discount: Discount | None = None
    balance_minor: int | None = None
    day_points: int = 0
    day_sales: int = 0


class Quote(msgspec.Struct, frozen=True, gc=False):
    """`declined`: no fuel on this token. Otherwise `reason` says why it earns nothing, or less than without a limit."""

    declined: bool
    reason: Reason | None
    purse: str = ""
    points: int = 0
    rebate_minor: int = 0
    provisional: bool = False


ANONYMOUS = Standing()
_FATAL_PLATES = {"plate_limit": Reason.PLATE_LIMIT, "plate_in_use": Reason.PLATE_IN_USE}


def quote(rules: RuleSet, sale: SaleFacts, standing: Standing) -> Quote:
    """The answer for a sale under the rules of its day."""
    declined = _decline(rules, sale, standing)
    if declined is not None:
        return Quote(True, declined)
    if not standing.holder:
        return Quote(False, standing.token_reason)
    purse = rules.earns_into[sale.product]
    reason = _earns_nothing(rules, sale, standing, purse)
    if reason is not None:
        return Quote(False, reason, purse)
    points = points_for(rules, sale)
    if points and rules.caps:
        points, reason = cut_points(rules.caps, points, standing.day_points, standing.day_sales)
    # Without headquarters nobody knows what other stations gave today: the receipt says provisional.
    provisional = sale.offline and points > 0 and not rules.caps.keys().isdisjoint(("day_points", "day_sales"))
    return Quote(False, reason, purse, points, rebate_for(rules, sale, standing), provisional)


def points_for(rules: RuleSet, sale: SaleFacts) -> int:
    """Points before any limit, rounded down rule by rule."""
    rules_here = rules.earn[sale.product]
    if len(rules_here) == 1 and not rules_here[0].cards:
        return _points(rules_here[0], sale)
    special = [rule for rule in rules_here if rule.cards and sale.card.startswith(rule.cards)]
    return sum(_points(rule, sale) for rule in special or rules_here if special or not rule.cards)


def accrues(rules: RuleSet, standing: Standing) -> bool:
    """Whether sales by this token accrue the contract's discount, be it nothing for a drop."""
    kind = rules.product_sets.get(standing.product_set)
    by_contract = rules.rebate is not None and standing.discount is not None
    return by_contract and standing.by_card and kind is not None and kind.rebate


def rebate_for(rules: RuleSet, sale: SaleFacts, standing: Standing) -> int:
    """The contract's discount on this sale, rounded down."""
    discount = standing.discount
    if discount is None or not accrues(rules, standing):
        return 0
    if discount.per_litre_minor is not None:
        return sale.volume_ml * discount.per_litre_minor // MILLI
    return sale.amount_minor * (discount.percent_bp or 0) // BASIS_POINTS


def not_running(rules: RuleSet, *, spending: bool) -> Reason | None:
    """Why points cannot be earned (or spent) on this day at all."""
    stage = rules.stage
    if stage is not None and (stage.spending if spending else stage.earning):
        return None
    before = rules.spent_before if spending else rules.earned_before
    return Reason.PROGRAMME_STOPPED if before else Reason.NOT_STARTED


def _decline(rules: RuleSet, sale: SaleFacts, standing: Standing) -> Reason | None:
    if standing.token_reason is not None and rules.declines_unknown:
        return standing.token_reason
    if not standing.holder:
        return None
    kind = rules.product_sets.get(standing.product_set)
    if kind is not None and sale.product not in kind.products:
        return Reason.PRODUCT_NOT_ALLOWED
    if not standing.contract_valid:
        return Reason.CONTRACT_NOT_VALID
    prepaid, pays = rules.prepaid, sale.account_minor
    if prepaid is not None and prepaid.offline == "needs_headquarters" and sale.offline and pays:
        return Reason.NEEDS_HEADQUARTERS
    free = 0 if rules.pay_and_go is None else rules.pay_and_go.without_code_minor
    if free and sale.pay_and_go_minor > free and not sale.code_given:
        return Reason.CODE_REQUIRED
    if standing.balance_minor is not None and pays > standing.balance_minor:
        return Reason.INSUFFICIENT_FUNDS
    return None


def _earns_nothing(rules: RuleSet, sale: SaleFacts, standing: Standing, purse: str) -> Reason | None:
    if standing.token_reason is not None:
        return standing.token_reason
    if standing.plate in _FATAL_PLATES:
        return _FATAL_PLATES[standing.plate]
    if standing.cancelled:
        return Reason.INACTIVE_CANCELLED
    if standing.suspended:
        return Reason.SUSPENDED
    needs = rules.membership.earning_needs
    if not standing.verified and (needs == "verification" or (needs == "verification_if_remote" and standing.remote)):
        return Reason.NOT_VERIFIED
    if standing.plate == "not_verified":
        return Reason.NOT_VERIFIED
    if (reason := not_running(rules, spending=False)) is not None:
        return reason
    if sale.elsewhere and rules.membership.own_stations_only:
        return Reason.NOT_OFFERED
    return _without_purse(rules, sale.product, purse)


def _without_purse(rules: RuleSet, product: Product, purse: str) -> Reason | None:
    has_points = rules.purses or rules.earn[product]
    return Reason.PRODUCT_NOT_ALLOWED if has_points and not purse else None


def _points(rule: EarnRule, sale: SaleFacts) -> int:
    if not rule.tenders:
        return _of_amount(rule, max(sale.amount_minor - sale.points_minor, 0))
    paid = {
        "cash": sale.cash_minor,
        "electronic": sale.electronic_minor,
        "pay_and_go": 0 if "electronic" in rule.tenders else sale.pay_and_go_minor,
        "account": sale.account_minor,
        "points": 0,
    }
    return _of_amount(rule, sum(paid[kind] for kind in rule.tenders))


def _of_amount(rule: EarnRule, amount_minor: int) -> int:
    if rule.kind == "percent":
        return amount_minor * rule.basis_points // BASIS_POINTS
    return amount_minor // rule.every_minor * rule.points
