"""Whose money pays for a delivery. Knows no account and no amount."""

from enum import StrEnum


class Funds(StrEnum):
    """Whose money pays."""

    NONE = "none"
    """Paid at the station after the delivery."""
    POSTPAID = "postpaid"
    """On the account of the token's holder, invoiced later."""
    PREPAID = "prepaid"
    """From money that its account has at headquarters: a station spends only what was set apart for it."""
    CARD_PURSE = "card_purse"
    """From the value on the card itself: taken before the pump is let go, the rest given back after it."""
