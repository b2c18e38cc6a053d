"""What a station writes down of PINs and drivers' codes: tries, the lock, and who lifted it. Never one of them itself.

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


class CodeTried(msgspec.Struct, frozen=True, array_like=True, tag="code_tried"):
    """A driver's code was told and is none of the token's, or is one after such. On disk before anybody is told.

    `wrong`: how many in a row, this one included; `version`: the list row's `pin_version`, which stands for its codes.
    """

    token: TokenRef
    version: int
    right: bool
    wrong: int


class CodeLocked(msgspec.Struct, frozen=True, array_like=True, tag="code_locked"):
    """The last code was one too many: no driver's code is taken for this token any more at this station."""

    token: TokenRef
    version: int


class PinNoted(msgspec.Struct, frozen=True, array_like=True, tag="pin_noted"):
    """A card's own count of wrong PINs is `wrong` now: this station wrote it there.

    `proof` is None where the card keeps no Transaction MAC.
    """

    token: TokenRef
    wrong: int
    proof: CardProof | None


class PinUnlocked(msgspec.Struct, frozen=True, array_like=True, tag="pin_unlocked"):
    """A manager has unlocked a token: wrong PINs and drivers' codes are forgotten."""

    token: TokenRef
    till: str
    command_id: str
