"""What the card office fills in for a new card: a TOML file, checked as a whole before any card is touched.

    product_set = "lpg"
    currency = "TRY"
    sequence = 1
    valid_from = 2026-01-01
    valid_until = 2028-12-31
    plates = ["34ABC123"]
    pin = "4711"              # optional; only its verifier goes onto the card

    [fill]                    # and [day], [month]; each may be missing, and so may each line of it
    volume_ml = 80000
    amount_minor = 500000

Knows no card: UID, card number and issuer come from there.
"""

from __future__ import annotations

import re
from datetime import date

import msgspec

from card_io.application import CardHeader
from card_io.entitlement import Entitlement, Limits
from card_io.errors import EntitlementFormRefused
from card_io.pin import PinVerifier

_BETWEEN = re.compile(r"[\s.\-]+")


class LimitsForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """At most so much; a missing line is no limit."""

    volume_ml: int | None = None
    amount_minor: int | None = None

    def limits(self) -> Limits:
        return Limits(self.volume_ml, self.amount_minor)


class EntitlementForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file as it is written."""

    product_set: str
    currency: str
    sequence: int
    valid_from: date
    valid_until: date
    plates: tuple[str, ...] = ()
    pin: str | None = None
    fill: LimitsForm = LimitsForm()
    day: LimitsForm = LimitsForm()
    month: LimitsForm = LimitsForm()

    def __repr__(self) -> str:
        return f"EntitlementForm({self.product_set}, {self.valid_from} to {self.valid_until})"

    def entitlement(self, uid: bytes, header: CardHeader, salt: bytes) -> Entitlement:
        """For one card; `salt` is 8 fresh random bytes for the PIN. Raises EntitlementFormRefused."""
        try:
            return Entitlement(
                uid,
                header.card_number,
                header.issuer,
                self.sequence,
                self.valid_from,
                self.valid_until,
                self.product_set,
                self.currency,
                self.fill.limits(),
                self.day.limits(),
                self.month.limits(),
                tuple(_BETWEEN.sub("", plate).upper() for plate in self.plates),
                None if self.pin is None else PinVerifier.make(self.pin, header.card_number, salt),
            )
        except ValueError as error:
            raise EntitlementFormRefused(f"the entitlement cannot be made ({error})") from None

    def check(self) -> None:
        """Raises EntitlementFormRefused for what is wrong with any card."""
        self.entitlement(bytes(7), CardHeader("00000000", "X", "X", 0), bytes(8))


def read_form(text: bytes | str, name: str) -> EntitlementForm:
    """The form from a file's text; `name` is the file's, for errors. Raises EntitlementFormRefused."""
    try:
        form = msgspec.toml.decode(text, type=EntitlementForm)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise EntitlementFormRefused(f"{name} is no entitlement ({error})") from None
    form.check()
    return form
