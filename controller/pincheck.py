"""Makes and checks the verifiers of PINs, by scrypt. Slow by design: the station does it off the event loop.

Ten thousand PINs of four digits are soon tried by whoever has a verifier; scrypt makes that hours for one card instead
of a moment for all, and no more. Knows no list and no till.
"""

import hmac
from typing import Protocol

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from controller.domain.pins import BLOCK, KEY_BYTES, PARALLEL, Verifier, check_pin, parse_verifier

COST = 2**14
"""Some 50 ms and 16 MiB at a station's machine."""


class PinChecker(Protocol):
    """Who checks the PINs of a running station."""

    async def verify(self, verifier: str, typed: str) -> bool:
        """Whether this is the PIN. BadVerifier if the list's verifier cannot be read."""
        ...


class InlinePins:
    """For a simulated world: in place, where virtual time stands still meanwhile."""

    async def verify(self, verifier: str, typed: str) -> bool:
        return verify(verifier, typed)


def make_verifier(pin: str, salt: bytes, *, cost: int = COST) -> str:
    """The verifier of a PIN, as a list row has it. `salt`: random, 16 bytes. ValueError if it is no PIN."""
    return Verifier(cost, salt, _derive(check_pin(pin), salt, cost)).text


def verify(verifier: str, typed: str) -> bool:
    """Whether this is the PIN. BadVerifier if the list's verifier cannot be read."""
    found = parse_verifier(verifier)
    try:
        pin = check_pin(typed)
    except ValueError:
        return False
    return hmac.compare_digest(_derive(pin, found.salt, found.cost)[: len(found.key)], found.key)


def _derive(pin: str, salt: bytes, cost: int) -> bytes:
    return Scrypt(salt=salt, length=KEY_BYTES, n=cost, r=BLOCK, p=PARALLEL).derive(pin.encode())
