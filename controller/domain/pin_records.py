"""What a station writes down of PINs that were typed: tries, the lock, and who lifted it. Never a PIN itself.

Rows of the journal (`controller.domain.records`). Knows no till and no card.
"""

import msgspec

from controller.domain.card_proof import CardProof
from controller.domain.tokens import TokenRef


class PinTried(msgspec.Struct, frozen=True, array_like=True, tag="pin_tried"):
    """A PIN was typed and was wrong, or was right after wrong ones. On disk before anybody is told.

    `wrong`: how many in a row, this one included; `version`: of the PIN it was tried against; `on_card`: what the card
    itself counted before, of a PIN that it has; `request_id`: of the payment with a voucher for which it was typed.
    """

    token: TokenRef
    version: int
    right: bool
    wrong: int
    on_card: int = 0
    request_id: str = ""


class PinLocked(msgspec.Struct, frozen=True, array_like=True, tag="pin_locked"):
    """The last try was one too many: this token asks for no PIN any more at this station.

    `request_id`: as the try has it.
    """

    token: TokenRef
    version: int
    request_id: str = ""


class PinNoted(msgspec.Struct, frozen=True, array_like=True, tag="pin_noted"):
    """A card's own count of wrong PINs is `wrong` now: this station wrote it there.

    `proof` is None where the card keeps no Transaction MAC.
    """

    token: TokenRef
    wrong: int
    proof: CardProof | None


class PinUnlocked(msgspec.Struct, frozen=True, array_like=True, tag="pin_unlocked"):
    """A manager has unlocked a PIN: its wrong tries are forgotten."""

    token: TokenRef
    till: str
    command_id: str
