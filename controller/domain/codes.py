"""Codes that are shown and scanned: a text that headquarters signs, for one holder's token, a short time and one use.

As text, so that any scanner can type it: `FQ1.` and base64url of what is signed and the signature. What is signed is a
label, the token's kind and keyed hash, the time window and a nonce. Knows no cipher: `Sign` and `Verify` come from
outside; and no clock.
"""

import base64
import binascii
from collections.abc import Callable
from typing import Annotated

import msgspec

from controller.domain.reasons import Reason
from controller.domain.tokens import KEY_BYTES, TokenKind

PREFIX = "FQ1."
NONCE_BYTES = 8
SIGNATURE_BYTES = 64
FORGOTTEN_AFTER_MS = 86_400_000
"""So long after its end a used code is still known: a clock that is set back by less revives none."""
_LABEL = b"forecourt code of one use\n"

Sign = Callable[[bytes], bytes]
Verify = Callable[[bytes, bytes], bool]
"""Of a signature and what it should stand under."""
Eight = Annotated[bytes, msgspec.Meta(min_length=KEY_BYTES, max_length=KEY_BYTES)]


class CodeForged(ValueError):
    """Headquarters did not sign this."""


class Code(msgspec.Struct, frozen=True, array_like=True):
    """What a code says: `kind` and `key` of the token it stands for, when it may be used (UTC), and its own name."""

    kind: TokenKind
    key: Eight
    from_ms: int
    until_ms: int
    nonce: Eight


class Scanned(msgspec.Struct, frozen=True, array_like=True):
    """A code that headquarters signed, as a decision looks at it. `used`: at this moment it is, or was."""

    nonce: bytes
    from_ms: int
    until_ms: int
    used: bool = False


def refused_code(scanned: Scanned | None, now_ms: int) -> Reason | None:
    """Why a code cannot be used; None where it can, or where there is none."""
    if scanned is None:
        return None
    if scanned.used:
        return Reason.QR_USED
    if now_ms < scanned.from_ms:
        return Reason.QR_EARLY
    return Reason.QR_EXPIRED if now_ms >= scanned.until_ms else None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Code)


def signed_code(code: Code, sign: Sign) -> str:
    """The text that is shown."""
    body = _encoder.encode(code)
    return PREFIX + base64.urlsafe_b64encode(body + sign(_LABEL + body)).decode().rstrip("=")


def read_code(text: str, verify: Verify) -> Code:
    """What a text says that headquarters signed. CodeForged for any other."""
    whole = "".join(text.split())
    if not whole.startswith(PREFIX):
        raise CodeForged("this is no code of headquarters")
    encoded = whole.removeprefix(PREFIX)
    try:
        data = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
        body, signature = data[:-SIGNATURE_BYTES], data[-SIGNATURE_BYTES:]
        code = _decoder.decode(body)
    except (ValueError, binascii.Error):
        raise CodeForged("this is no code of headquarters") from None
    if not verify(signature, _LABEL + body):
        raise CodeForged("the signature of the code is wrong")
    return code


class UsedCodes(msgspec.Struct):
    """Which codes were used. By the name of the authorisation, then of the code; both as text."""

    until_ms: dict[str, int] = {}
    """By nonce: when each ends."""
    open: dict[str, str] = {}
    """By the row that authorised and has delivered nothing yet: its nonce."""

    def use(self, authorised: str, code: Scanned, wall_ms: int) -> None:
        """It was let go by this code."""
        for nonce, until_ms in list(self.until_ms.items()):
            if until_ms + FORGOTTEN_AFTER_MS < wall_ms:
                del self.until_ms[nonce]
        self.until_ms[code.nonce.hex()] = code.until_ms
        self.open[authorised] = code.nonce.hex()

    def end(self, authorised: str, *, unused: bool) -> None:
        """The authorisation is over; without any fuel, its code may be used again."""
        nonce = self.open.pop(authorised, None)
        if unused and nonce is not None:
            self.until_ms.pop(nonce, None)
