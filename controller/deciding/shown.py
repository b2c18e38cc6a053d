"""What was typed or scanned for a pump, as a token: a card's number, a plate, a phone number, a voucher's id, a code.

A plate that a device has just read at that pump counts as what that device is. Knows no pump and no decision.
"""

from collections.abc import Iterable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from controller.domain.codes import Code, CodeForged, Scanned, Verify, read_code
from controller.domain.desk import AuthorisePoint, Shown
from controller.domain.reasons import Reason
from controller.domain.seams import US_PER_S
from controller.domain.tokens import Assurance, TokenKind, TokenRef
from controller.site import Site

SCANNED = "code"
"""What a tile and a receipt show of a token that was a code."""
SEEN_S = 120
"""A plate that was read at a pump counts there for this long."""


class SeenPlates:
    """The last plate that a device has read at each pump."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._seen: dict[int, tuple[TokenRef, int]] = {}

    def see(self, point: int, token: TokenRef) -> None:
        """A device has read it; a surer one that was read just before stays."""
        before = self.at(point)
        if before is not None and before.key == token.key and before.assurance.rank > token.assurance.rank:
            token = before
        self._seen[point] = token, self._site.clock.now().mono_us + SEEN_S * US_PER_S

    def at(self, point: int) -> TokenRef | None:
        """The plate that counts there now."""
        token, until_us = self._seen.get(point, (None, 0))
        return token if self._site.clock.now().mono_us <= until_us else None


def token_of(site: Site, seen: SeenPlates, command: AuthorisePoint) -> TokenRef | Reason | None:
    """The token on whose account a till lets a pump deliver; None for cash."""
    shown = command.shown
    if shown is None:
        shown = Shown(plate=command.plate)
        if not command.plate:
            return None
    elif command.plate:
        return Reason.TOKEN_UNCLEAR
    typed = [text for text in (shown.card, shown.plate, shown.phone, shown.qr, shown.voucher) if text]
    if len(typed) != 1:
        return Reason.TOKEN_UNCLEAR
    try:
        if shown.card:
            return site.card(shown.card)
        if shown.phone:
            return site.phone(shown.phone)
        if shown.voucher:
            return site.voucher(shown.voucher)
        if shown.plate:
            token = site.plate(shown.plate)
            there = seen.at(command.point)
            return there if there is not None and there.key == token.key else token
    except ValueError:
        return _UNREADABLE[bool(shown.card), bool(shown.phone), bool(shown.voucher)]
    code = _code_of(site, shown)
    return Reason.QR_NOT_PROVEN if code is None else TokenRef(TokenKind.QR, code.key, SCANNED, Assurance.PROVEN)


def scanned(site: Site, shown: Shown | None) -> Scanned | None:
    """The code among what was shown, if headquarters signed it."""
    code = None if shown is None or not shown.qr else _code_of(site, shown)
    return None if code is None else Scanned(code.nonce, code.from_ms, code.until_ms)


def _code_of(site: Site, shown: Shown) -> Code | None:
    try:
        return read_code(shown.qr, site.verify_code)
    except CodeForged:
        return None


def verified_by(public_keys: Iterable[bytes]) -> Verify:
    """Whether one of these Ed25519 keys, 32 bytes each, has signed it."""
    keys = [Ed25519PublicKey.from_public_bytes(each) for each in public_keys]

    def verify(signature: bytes, message: bytes) -> bool:
        for key in keys:
            try:
                key.verify(signature, message)
            except InvalidSignature:
                continue
            return True
        return False

    return verify


_UNREADABLE = {
    (True, False, False): Reason.CARD_UNKNOWN,
    (False, True, False): Reason.PHONE_UNKNOWN,
    (False, False, True): Reason.VOUCHER_UNKNOWN,
    (False, False, False): Reason.PLATE_UNKNOWN,
}
