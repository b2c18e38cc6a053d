"""Everything that can go wrong with a card or its reader, as one tree.

Each error has a stable `kind` (for tables, journals and tests), says what happened, and says what the person
in front of the reader, or the one who keeps it, does next. It must not know which reader or which session raised
it, and its text never holds a key or a whole card number.
"""

from __future__ import annotations

from typing import ClassVar


class CardError(Exception):
    """The root: `str(error)` is "what happened: what to do"."""

    kind: ClassVar[str] = "card_error"
    todo: ClassVar[str] = "present the card again"

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        return f"{self.what}: {self.todo}"


class ReaderGone(CardError):
    """No such reader, or it went away."""

    kind = "reader_gone"
    todo = "check the reader's cable and its name in the station's configuration"


class ServiceDown(CardError):
    """The PC/SC service (pcscd) doesn't run or stopped; it is tried again without end."""

    kind = "service_down"
    todo = "start the PC/SC service (systemctl start pcscd); the reader comes back by itself"


class ReaderExtraMissing(CardError):
    """pyscard isn't installed."""

    kind = "reader_extra_missing"
    todo = "PC/SC readers need the extra: pip install 'forecourt[pcsc]' (needs swig, libpcsclite-dev, gcc)"


class CardRemoved(CardError):
    """The card left the field in the middle of a session."""

    kind = "card_removed"
    todo = "hold the card still on the reader until it is read"


class CardReset(CardError):
    """Another program reset the card in the middle of a session."""

    kind = "card_reset"
    todo = "present the card again, and keep other programs off this reader"


class CardSilent(CardError):
    """The card didn't answer within the deadline."""

    kind = "card_silent"
    todo = "take the card away and present it again; if it stays silent, it is broken"


class SharingViolation(CardError):
    """Another program holds the card for itself."""

    kind = "sharing_violation"
    todo = "end the other program that uses this reader"


class GarbledAnswer(CardError):
    """Bytes that are no answer at all (too short, too long, endless)."""

    kind = "garbled_answer"
    todo = "present the card again; if it happens with every card, check the reader"


class CardStatusError(CardError):
    """The card answered, and refused. `status` is SW1 SW2 as one number."""

    kind = "card_status"
    todo = "present the card again; if it happens again, the card needs its issuer"

    def __init__(self, status: int, doing: str) -> None:
        self.status = status
        self.meaning = status_meaning(status)
        super().__init__(f"the card refused {doing}: {self.meaning} ({status:04X})")


class NotOurCard(CardError):
    """A card that can't be one of this network's."""

    kind = "not_our_card"
    todo = "use another card"


class ProofFailed(CardError):
    """The card claims to be ours and can't prove it: a copy, a forgery, or another network's keys."""

    kind = "proof_failed"
    todo = "do not accept this card"


class KeyMissing(CardError):
    """The card was written under a version of the key that this station doesn't hold."""

    kind = "key_missing"
    todo = "install the current key file from headquarters"


class KeyFileRefused(CardError):
    """The file of keys can't be used; the text says which file and why."""

    kind = "key_file_refused"
    todo = "mend the key file and start again"


def status_meaning(status: int) -> str:
    """What a status word (0..0xFFFF) means, in words; DESFire's are 91xx."""
    if status >> 8 == 0x91:
        return _DESFIRE_MEANINGS.get(status & 0xFF, "unknown DESFire status")
    return _ISO_MEANINGS.get(status, "unknown status")


# MIFARE DESFire EV1..EV3 status codes, as the public data sheets and application notes name them.
_DESFIRE_MEANINGS = {
    0x00: "done",
    0x0C: "no changes",
    0x0E: "out of memory",
    0x1C: "illegal command",
    0x1E: "integrity error",
    0x40: "no such key",
    0x7E: "length error",
    0x9D: "permission denied",
    0x9E: "parameter error",
    0xA0: "application not found",
    0xAD: "authentication delay",
    0xAE: "authentication error",
    0xAF: "more to come",
    0xBE: "boundary error",
    0xCA: "command aborted",
    0xCD: "card disabled",
    0xDE: "duplicate",
    0xEE: "memory error",
    0xF0: "file not found",
}

_ISO_MEANINGS = {
    0x6300: "operation failed",
    0x6700: "wrong length",
    0x6981: "command not fitting this card",
    0x6982: "security status not satisfied",
    0x6A81: "function not supported",
    0x6A82: "file or application not found",
    0x6D00: "instruction not supported",
    0x6E00: "class not supported",
    0x9000: "done",
}
