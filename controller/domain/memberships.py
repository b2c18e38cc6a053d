"""What a station was told of a token's place in a fuel programme, on the list's row of that token. Only shapes.

Headquarters knows more; this is what a quote needs while it is away. Points as of a moment: another station may have
given or taken some since.
"""

import msgspec


class PurseState(msgspec.Struct, frozen=True, array_like=True):
    """Points of one purse of a holder: all, and those that may be spent."""

    purse: str
    points: int
    available: int


class Membership(msgspec.Struct, frozen=True, array_like=True):
    """One programme's word on a token. `holder`: headquarters' own id of a member, fleet, contract or organisation.

    `programme`: by its name, such as "opet-kart". `product_set`: the card's, empty without one. `verified`, `remote`:
    whether the phone was verified at a station, and whether the membership was made by web or app. `plates`: keyed
    hashes of the holder's bound plates; `plates_waiting`: of those that were verified, and that a purchase binds.
    `plates_full`: another plate would be one too many; else `plates_free` more may be bound to this token.
    `per_litre_minor` or `percent_bp`: the contract's discount; at most one of them is above zero. `as_of_ms`: of the
    balances, UTC. `pay_and_go`: credit cards are linked to it.
    """

    programme: str
    holder: str
    product_set: str = ""
    contract_valid: bool = True
    cancelled: bool = False
    suspended: bool = False
    verified: bool = False
    remote: bool = False
    activated: bool = False
    organisation: bool = False
    plates: tuple[bytes, ...] = ()
    plates_full: bool = False
    per_litre_minor: int = 0
    percent_bp: int = 0
    purses: tuple[PurseState, ...] = ()
    as_of_ms: int = 0
    plates_waiting: tuple[bytes, ...] = ()
    plates_free: int = 1
    pay_and_go: bool = False


MEMBER_COLUMNS = (
    "programme",
    "holder",
    "product_set",
    "contract_valid",
    "cancelled",
    "suspended",
    "verified",
    "remote",
    "activated",
    "organisation",
    "plates",
    "plates_full",
    "per_litre",
    "percent_bp",
    "purses",
    "as_of",
    "plates_waiting",
    "plates_free",
    "pay_and_go",
)
"""The columns of a list that say a membership in text, in the order of its fields."""
