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
    todo: str = "present the card again"

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


class ReaderDenied(CardError):
    """This user may not use the reader: polkit decides that where pcscd asks it."""

    kind = "reader_denied"
    todo = "let this user use PC/SC: add a polkit rule for org.debian.pcsc-lite.access_pcsc and .access_card"


class ReaderExtraMissing(CardError):
    """pyscard isn't installed."""

    kind = "reader_extra_missing"
    todo = "PC/SC readers need the extra: pip install 'forecourt[pcsc]' (needs swig, libpcsclite-dev, gcc)"


class NoCard(CardError):
    """Nobody put a card on the reader, or took the last one away, in the time that there was for it."""

    kind = "no_card"
    todo = "put the next card on the reader and start again"


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
    """The card answered, and refused. `status` is SW1 SW2 as one number; `todo` is this status's own."""

    kind = "card_status"
    todo = "present the card again; if it happens again, the card needs its issuer"

    def __init__(self, status: int, doing: str) -> None:
        self.status = status
        self.meaning = status_meaning(status)
        self.todo = _STATUS_TODO.get(status, type(self).todo)
        super().__init__(f"the card refused {doing}: {self.meaning} ({status:04X})")


class NotOurCard(CardError):
    """A card that can't be one of this network's."""

    kind = "not_our_card"
    todo = "use another card"


class ProofFailed(CardError):
    """The card claims to be ours and can't prove it: a copy, a forgery, or another network's keys."""

    kind = "proof_failed"
    todo = "do not accept this card"


class CardCloned(ProofFailed):
    """The card holds the keys of another UID than it has: they were taken out of the card that they were made for."""

    kind = "card_cloned"
    todo = "do not accept this card, and tell headquarters"


class AnotherCard(CardError):
    """Not the card that was shown before: all DESFire cards look alike until they prove who they are."""

    kind = "another_card"
    todo = "present the card with which the sale began"


class EntitlementForged(CardError):
    """What the card may do is not what headquarters signed for it."""

    kind = "entitlement_forged"
    todo = "do not accept this card, and tell headquarters"


class EntitlementKeyMissing(CardError):
    """Headquarters signed with a key that this station doesn't know (yet)."""

    kind = "entitlement_key_missing"
    todo = "install headquarters' current public keys"


class EntitlementFormRefused(CardError):
    """The card office's file can't be used; the text says where and why. No card was touched."""

    kind = "entitlement_form_refused"
    todo = "mend the file and start again"


class CardTaken(CardError):
    """The card already is somebody's, or holds something else than what is to be put on it."""

    kind = "card_taken"
    todo = "take a blank card, or wipe this one first"


class PurseNotEmpty(CardError):
    """There is value on the card that would be lost."""

    kind = "purse_not_empty"
    todo = "pay the purse out first, or say that its value may be lost"


class PurseTooSmall(CardError):
    """There is less in the card's purse than was to be taken."""

    kind = "purse_too_small"
    todo = "load the purse, or choose a smaller maximum"


class DebitNotOpen(CardError):
    """The card does not remember this debit as open: it was settled, or another one came after it."""

    kind = "debit_not_open"
    todo = "nothing can be given back here: headquarters releases what is left of it"


class ReleaseForged(CardError):
    """A release of a purse's debit that headquarters did not sign, or not for this station."""

    kind = "release_forged"
    todo = "read it again from its letter, every character of it"


class KeyMissing(CardError):
    """The card was written under a version of the key that isn't held here."""

    kind = "key_missing"
    todo = "install the current key file from headquarters"


class KeyFileRefused(CardError):
    """The file of keys can't be used; the text says which file and why."""

    kind = "key_file_refused"
    todo = "mend the key file and start again"


class VaultRefused(CardError):
    """Headquarters' file of keys can't be opened: a wrong passphrase, or not as it was written."""

    kind = "vault_refused"
    todo = "give the right passphrase, or put a copy of the file back"


class TranscriptDiffers(CardError):
    """A replayed conversation takes another course than the recorded one."""

    kind = "transcript_differs"
    todo = "compare the program's version with the one that recorded it"


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
    0xC1: "the card's own integrity error",
    0xCD: "card disabled",
    0xCE: "too many applications",
    0xDE: "duplicate",
    0xEE: "memory error",
    0xF0: "file not found",
}

# What helps against some of them; against the others, what CardStatusError says.
_STATUS_TODO = {
    0x910E: "use a card with more memory, or wipe this one",
    0x911C: "use a DESFire EV2 or EV3 card",
    0x919D: "the key in use may not do this: check the card's layout (forecourt card verify)",
    0x91AD: "the card waits after wrong keys: leave it on the reader for some seconds, then present it again",
    0x91AE: "the card asks for a key first: check the card's layout (forecourt card verify)",
    0x91BE: "the value or the place is beyond the file's limits: read the card first",
    0x91CD: "the card is disabled for ever: use another card",
    0x91DE: "it is there already: read the card first",
    0x91EE: "a write on the card failed: present it again; if it happens again, the card is worn out",
    0x91F0: "the card lacks a file: check the card's layout (forecourt card verify)",
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
