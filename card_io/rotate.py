"""What the card office does with a card that is in use: load its purse, rotate its keys, lock it, wipe it.

Rotation: keys 1 to 9 from whatever version each says it has, then file 01 (it names the version), then key 0, whose
change ends the session. Torn at any point, it is run again: each key says its version, and the old versions stay in
the vault until the last card is rotated. The Transaction MAC's key is not rotated: its file would have to be made
anew, and the card's count of commits would begin again. Sans-IO; needs headquarters' keys.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from card_io.application import (
    CARD_KEY_NUMBER,
    HEADER_FILE,
    MASTER_KEY_NUMBER,
    READ_KEY_NUMBER,
    WRITE_KEY_NUMBER,
    CardHeader,
    CardProfile,
    Part,
)
from card_io.conversation import RandomBytes
from card_io.counters import Counters
from card_io.desfire.administration import (
    AES_KEYS,
    KEY_SETTINGS,
    change_key_settings,
    change_own_key,
    delete_application,
)
from card_io.desfire.commands import credit, get_key_version, get_value, write_data
from card_io.errors import AnotherCard, CardStatusError, NotOurCard, PurseNotEmpty
from card_io.issue import FACTORY_VERSION, NEEDS_KEY, OfficeConversation
from card_io.layout import HEADER_MODE, PURSE_FILE, PURSE_MODE
from card_io.session import Steps, StepSession
from card_io.transaction import Change, Changed, change_card
from card_io.vault import IssuerKeys


class LoadSession(StepSession[Changed]):
    """Credits `amount` (1 to 2^31-1, the purse's unit) to the card with this UID; "unknown" as for any commit.

    The Transaction MAC's counter tells whether an unknown load was applied: compare it with the proof's of the next.
    """

    def __init__(
        self,
        profile: CardProfile,
        keys: IssuerKeys,
        random_bytes: RandomBytes,
        *,
        uid: bytes,
        amount: int,
        reader_id: bytes,
    ) -> None:
        call = credit(PURSE_FILE, amount, PURSE_MODE)

        def plan(header: CardHeader, counters: Counters) -> Change:
            if Part.PURSE not in header.parts:
                raise NotOurCard("the card has no purse")
            return Change((call,), WRITE_KEY_NUMBER)

        super().__init__(change_card(OfficeConversation(profile, keys, random_bytes), uid, reader_id, plan))


@dataclass(frozen=True, slots=True)
class Rotated:
    """`changed`: the numbers of the keys that were not yet of this version."""

    uid: bytes
    changed: tuple[int, ...]


class RotateKeysSession(StepSession[Rotated]):
    """All application keys of a card to version `target` (1..255).

    `check` gets the card's proven UID before anything is changed, and may raise a CardError: it is another's turn.
    """

    def __init__(
        self,
        profile: CardProfile,
        keys: IssuerKeys,
        random_bytes: RandomBytes,
        *,
        target: int,
        check: Callable[[bytes], None] = lambda uid: None,
    ) -> None:
        if not FACTORY_VERSION < target <= 0xFF:
            raise ValueError("keys are rotated to a version of 1 to 255")
        super().__init__(_rotate(OfficeConversation(profile, keys, random_bytes), target, check))


def _rotate(card: OfficeConversation, target: int, check: Callable[[bytes], None]) -> Steps[Rotated]:
    yield from card.select()
    yield from card.meet()
    version = yield from card.as_master()
    yield from card.prove_uid()
    check(card.uid)
    changed = yield from card.change_keys(target)
    yield from card.authenticate(READ_KEY_NUMBER)
    header = yield from card.header()
    if header.key_version != target:
        yield from card.authenticate(WRITE_KEY_NUMBER)
        new = replace(header, key_version=target)
        yield from card.channel.call(write_data(HEADER_FILE, new.encode(), HEADER_MODE))
    if version != target:
        yield from card.as_master()
        yield from card.change_master(target)
        changed = (MASTER_KEY_NUMBER, *changed)
    return Rotated(card.uid, changed)


class LockCardSession(StepSession[bool]):
    """Gives the card itself a key of ours in place of the factory's, so that nobody else deletes the application.

    The result is whether it had to. Without it a card works as well, and can be destroyed by anybody; read it cannot.
    """

    def __init__(self, profile: CardProfile, keys: IssuerKeys, random_bytes: RandomBytes, *, target: int) -> None:
        if not FACTORY_VERSION < target <= 0xFF:
            raise ValueError("a card's own key has a version of 1 to 255")
        super().__init__(_lock(OfficeConversation(profile, keys, random_bytes), target))


def _lock(card: OfficeConversation, target: int) -> Steps[bool]:
    yield from card.select_card()
    yield from card.meet()
    if (yield from get_key_version(card.channel, 0)) == target:
        return False
    yield from card.as_card_master()
    yield from card.prove_uid()
    yield from card.channel.call(change_key_settings(KEY_SETTINGS))
    new = card.own_key(CARD_KEY_NUMBER, target)
    yield from card.channel.call(change_own_key(AES_KEYS, new, target))
    return True


class WipeSession(StepSession[bytes]):
    """Deletes the application and all in it from the card with this UID, and gives the UID.

    Raises PurseNotEmpty unless `lose_purse`. The card can be issued again after it.
    """

    def __init__(
        self,
        profile: CardProfile,
        keys: IssuerKeys,
        random_bytes: RandomBytes,
        *,
        uid: bytes | None = None,
        lose_purse: bool = False,
    ) -> None:
        super().__init__(_wipe(OfficeConversation(profile, keys, random_bytes), uid, lose_purse))


def _wipe(card: OfficeConversation, uid: bytes | None, lose_purse: bool) -> Steps[bytes]:
    yield from card.select()
    yield from card.meet()
    if uid is not None and card.uid != uid:
        raise AnotherCard("this is not the card that is to be wiped")
    if not lose_purse:
        yield from _check_purse(card)
    yield from card.as_master()
    yield from card.prove_uid()
    try:
        yield from card.channel.call(delete_application(card.profile.aid))
    except CardStatusError as error:
        if error.status not in NEEDS_KEY:
            raise
        # a card that does not leave this to the application wants its own key
        yield from card.select_card()
        yield from card.as_card_master()
        yield from card.channel.call(delete_application(card.profile.aid))
    return card.uid


def _check_purse(card: OfficeConversation) -> Steps[None]:
    """Half-made cards have no purse that anything could be in: their key 3 is still the factory's."""
    if (yield from get_key_version(card.channel, WRITE_KEY_NUMBER)) == FACTORY_VERSION:
        return
    yield from card.authenticate(READ_KEY_NUMBER)
    try:
        header = yield from card.header()
    except NotOurCard:
        header = None
    if header is not None and Part.PURSE in header.parts:
        yield from card.authenticate(WRITE_KEY_NUMBER)
        if value := (yield from get_value(card.channel, PURSE_FILE, PURSE_MODE)):
            raise PurseNotEmpty(f"there is {value} in the card's purse")
    yield from card.select()
