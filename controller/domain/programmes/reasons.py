"""The programmes' reasons: one code each, and what it means. A code never changes its meaning. Knows nothing else."""

from enum import StrEnum


class Reason(StrEnum):
    """Why something was refused, or earned nothing (or less)."""

    CARD_UNKNOWN = "card_unknown"
    HOLDER_UNKNOWN = "holder_unknown"
    PLATE_NOT_BOUND = "plate_not_bound"
    VOUCHER_UNKNOWN = "voucher_unknown"
    VOUCHER_EXPIRED = "voucher_expired"
    SALE_UNKNOWN = "sale_unknown"
    CARD_BLOCKED = "card_blocked"
    CARD_AMBIGUOUS = "card_ambiguous"
    PRODUCT_NOT_ALLOWED = "product_not_allowed"
    PLATE_LIMIT = "plate_limit"
    PLATE_CHANGE_LIMIT = "plate_change_limit"
    PLATE_IN_USE = "plate_in_use"
    CARD_IN_USE = "card_in_use"
    CONTRACT_EXISTS = "contract_exists"
    VOUCHER_EXISTS = "voucher_exists"
    ORDER_EXISTS = "order_exists"
    ALREADY_PRESENTED = "already_presented"
    ALREADY_REVERSED = "already_reversed"
    PRESENT_TOO_LATE = "present_too_late"
    CONTRACT_NOT_VALID = "contract_not_valid"
    INACTIVE_CANCELLED = "inactive_cancelled"
    SUSPENDED = "suspended"
    NOT_VERIFIED = "not_verified"
    NOT_ACTIVATED = "not_activated"
    PROFILE_INCOMPLETE = "profile_incomplete"
    CONSENT_MISSING = "consent_missing"
    UNDER_AGE = "under_age"
    REFUSED = "refused"
    IDENTITY_MISMATCH = "identity_mismatch"
    SMS_FORMAT = "sms_format"
    NOT_STARTED = "not_started"
    PROGRAMME_STOPPED = "programme_stopped"
    NOT_OFFERED = "not_offered"
    NEEDS_HEADQUARTERS = "needs_headquarters"
    OTP_REQUIRED = "otp_required"
    PIN_REQUIRED = "pin_required"
    PIN_WRONG = "pin_wrong"
    PIN_LOCKED = "pin_locked"
    CODE_REQUIRED = "code_required"
    PERMISSION_MISSING = "permission_missing"
    FAULT_NOT_FOUND = "fault_not_found"
    APPROVAL_MISSING = "approval_missing"
    MANUAL_LIMIT = "manual_limit"
    INSUFFICIENT_POINTS = "insufficient_points"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    CHARGE_FAILED = "charge_failed"
    DAILY_POINTS_CAP = "daily_points_cap"
    DAILY_SALES_CAP = "daily_sales_cap"
    SALE_CAP = "sale_cap"
    DISPUTE_TOO_LATE = "dispute_too_late"
    NOT_REVERSIBLE = "not_reversible"
    NOT_COVERED = "not_covered"
    PERIOD_OPEN = "period_open"
    WRONG_PERIOD = "wrong_period"
    BELOW_FIRST_TIER = "below_first_tier"
    NEGATIVE_BALANCE = "negative_balance"


MEANING: dict[Reason, str] = {
    Reason.CARD_UNKNOWN: "The programme does not know this card",
    Reason.HOLDER_UNKNOWN: "The programme does not know this member, organisation, customer or contract",
    Reason.PLATE_NOT_BOUND: "This plate is bound to nobody (or not to this member)",
    Reason.VOUCHER_UNKNOWN: "There is no such voucher, it is another organisation's, or it was cancelled",
    Reason.VOUCHER_EXPIRED: "The voucher has expired with the points in it",
    Reason.SALE_UNKNOWN: "There is no such sale",
    Reason.CARD_BLOCKED: "The card was reported lost or was replaced",
    Reason.CARD_AMBIGUOUS: "Two cards have the same last digits: send all the digits of the card",
    Reason.PRODUCT_NOT_ALLOWED: "This card, purse or programme is not for this product",
    Reason.PLATE_LIMIT: "The card (or the app) has its full number of plates",
    Reason.PLATE_CHANGE_LIMIT: "A plate was changed in this calendar year already",
    Reason.PLATE_IN_USE: "This plate belongs to another member, or to this one already",
    Reason.CARD_IN_USE: "A card with this number was issued already",
    Reason.CONTRACT_EXISTS: "This contract is open already",
    Reason.VOUCHER_EXISTS: "A voucher of this name was made already",
    Reason.ORDER_EXISTS: "An order of this name was published already",
    Reason.ALREADY_PRESENTED: "A card was shown for this sale already",
    Reason.ALREADY_REVERSED: "This sale was reversed already",
    Reason.PRESENT_TOO_LATE: "A card may be shown on the business day of the sale only",
    Reason.CONTRACT_NOT_VALID: "The contract is closed, or not with prepayment",
    Reason.INACTIVE_CANCELLED: "The membership was cancelled after too long a time without a purchase",
    Reason.SUSPENDED: "Earning is suspended until a person has reviewed this account",
    Reason.NOT_VERIFIED: "The member's account or phone (or this plate) was not verified at the station",
    Reason.NOT_ACTIVATED: "The membership is not activated: points can be earned, not spent",
    Reason.PROFILE_INCOMPLETE: "Name, surname or phone is missing: needed to spend points",
    Reason.CONSENT_MISSING: "A consent that membership needs was not given",
    Reason.UNDER_AGE: "Not old enough, or no date of birth was given",
    Reason.REFUSED: "The company refuses this membership (or it exists already)",
    Reason.IDENTITY_MISMATCH: "The data are another person's than the holder's",
    Reason.SMS_FORMAT: "The message has not the form that the programme asks for",
    Reason.NOT_STARTED: "The programme has not started this yet",
    Reason.PROGRAMME_STOPPED: "The programme has ended this",
    Reason.NOT_OFFERED: "The programme has no such thing",
    Reason.NEEDS_HEADQUARTERS: "Not possible while headquarters cannot be asked",
    Reason.OTP_REQUIRED: "The one-time password sent to the registered phone is missing",
    Reason.PIN_REQUIRED: "The PIN is missing",
    Reason.PIN_WRONG: "The PIN is wrong",
    Reason.PIN_LOCKED: "Too many wrong PINs in a row: locked",
    Reason.CODE_REQUIRED: "A payment of this amount needs the customer's code",
    Reason.PERMISSION_MISSING: "The user has not the right to manage vouchers",
    Reason.FAULT_NOT_FOUND: "The station's journal shows no fault at that time",
    Reason.APPROVAL_MISSING: "A second person has not approved it",
    Reason.MANUAL_LIMIT: "More points than may be loaded by hand",
    Reason.INSUFFICIENT_POINTS: "Not enough available points",
    Reason.INSUFFICIENT_FUNDS: "Not enough money on the account",
    Reason.CHARGE_FAILED: "No linked credit card accepted: the amount is a debt",
    Reason.DAILY_POINTS_CAP: "The most points of a day are reached",
    Reason.DAILY_SALES_CAP: "The most earning sales of a day are reached",
    Reason.SALE_CAP: "The most points of one sale are reached",
    Reason.DISPUTE_TOO_LATE: "The time to dispute this purchase is over: it counts as confirmed",
    Reason.NOT_REVERSIBLE: "The member cannot cancel such a sale",
    Reason.NOT_COVERED: "No purchase by card of this plate before the damage",
    Reason.PERIOD_OPEN: "The period is not over",
    Reason.WRONG_PERIOD: "This contract has periods of another length",
    Reason.BELOW_FIRST_TIER: "The month's volume reaches no tier of the order in force",
    Reason.NEGATIVE_BALANCE: "The account was below zero when the month ended",
}
