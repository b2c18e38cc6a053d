"""One-time passwords: how one is made, what is remembered of it, and when it is good.

The code itself is kept nowhere: a keyed hash of it is. Knows no database and no phone.
"""

import hashlib
import hmac

import msgspec

from controller.domain.seams import MS_PER_S, Randomness

CODE_DIGITS = 6
CODE_MS = 5 * 60 * MS_PER_S
CODE_TRIES = 3
SALT_BYTES = 16


class Code(msgspec.Struct, frozen=True, array_like=True):
    """What is remembered of a one-time password: until when it holds, and how often it was tried wrongly.

    `used_by`: the question that it was right for, if it was used.
    """

    salt: bytes
    digest: bytes
    until_ms: int
    wrong: int = 0
    used_by: str = ""


def new_code(chance: Randomness, now_ms: int) -> tuple[str, Code]:
    """A code for a person to read, and what is kept of it."""
    digits = f"{chance.below(10**CODE_DIGITS):0{CODE_DIGITS}}"
    salt = chance.random_bytes(SALT_BYTES)
    return digits, Code(salt, _digest(salt, digits), now_ms + CODE_MS)


def try_code(kept: Code | None, typed: str, now_ms: int, asked_by: str = "") -> tuple[bool, Code | None]:
    """Whether it is the code, and what is left of it: a code is good once, for five minutes and three tries.

    `asked_by`: a question that may be said again, before its answer could be kept: it stays good for that one.
    """
    if kept is None or now_ms >= kept.until_ms or kept.wrong >= CODE_TRIES:
        return False, None
    right = hmac.compare_digest(_digest(kept.salt, typed.strip()), kept.digest)
    if kept.used_by:
        return right and kept.used_by == asked_by, kept
    if right:
        return True, msgspec.structs.replace(kept, used_by=asked_by) if asked_by else None
    wrong = kept.wrong + 1
    return False, msgspec.structs.replace(kept, wrong=wrong) if wrong < CODE_TRIES else None


def _digest(salt: bytes, digits: str) -> bytes:
    """A million codes are soon tried by who has the database: within five minutes it would have to be."""
    return hashlib.sha256(salt + digits.encode()).digest()
