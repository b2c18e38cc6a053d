"""Making a blank card one of the network's: application, files, keys, entitlement, and file 01 last.

    1  the card's own level: UID and generation; the application, if it is not there yet
    2  key 0: the files that are missing; keys 1 to 9, each from the version that it says it has; at last key 0 itself
    3  key 3: file 02, then file 01: a card whose file 01 can be read is complete

Each step looks first at what is there, so a session that was torn is simply run again: keys say their version (0 is
the factory's key of zeros), files their settings. A card that carries something else is left alone (`card_taken`).
The card's own master key stays as it is: see `card_io.rotate` for that. Where a card asks for it, it is the vault's, or
the factory's. Sans-IO; knows no vault's file and no printer of cards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from card_io.application import (
    CARD_KEY_NUMBER,
    HEADER_FILE,
    HEADER_LENGTH,
    MASTER_KEY_NUMBER,
    READ_KEY_NUMBER,
    TRANSACTION_MAC_KEY_NUMBER,
    WRITE_KEY_NUMBER,
    CardHeader,
    CardProfile,
    Part,
    masked,
)
from card_io.conversation import APPLICATION_NOT_FOUND, NO_APPLICATION, Conversation, RandomBytes, select
from card_io.desfire.administration import (
    FACTORY_KEY,
    PlainKey,
    change_file_settings,
    change_other_key,
    change_own_key,
    create_application,
    create_file,
)
from card_io.desfire.channel import AUTHENTICATION_ERROR, OpenChannel, accepted
from card_io.desfire.commands import (
    get_file_ids,
    get_file_settings,
    get_key_version,
    read_data,
    write_data,
)
from card_io.desfire.factory import DES_BLOCK, authenticate_factory
from card_io.desfire.files import FileSettings, TransactionMacFile
from card_io.entitlement import ENTITLEMENT_FILE
from card_io.errors import CardStatusError, CardTaken, NotOurCard
from card_io.layout import ENTITLEMENT_MODE, HEADER_MODE, KEY_COUNT, CardLayout, differs, lacks_sets
from card_io.session import Steps, StepSession
from card_io.vault import IssuerKeys

FACTORY_VERSION = 0
PARAMETER_ERROR = 0x919E
NEEDS_KEY = (0x919D, 0x91AE)  # denied, or not authenticated: how a card says that its own key must be shown

EntitlementFor = Callable[[bytes], bytes]
"""File 02, signed, for the card with this UID (7 bytes). Raises CardError where it cannot be made."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A finished card. `did` says in words what this session had to do; nothing, where the card was complete."""

    uid: bytes
    did: tuple[str, ...]


class IssueSession(StepSession[Issued]):
    """Makes, or completes, the card of `header`. `key_version` is the version that all its keys get.

    `entitlement` is needed where the layout has one. Raises CardTaken for a card that is another's, CardError for
    a card that is torn out: run it again then.
    """

    def __init__(
        self,
        profile: CardProfile,
        keys: IssuerKeys,
        random_bytes: RandomBytes,
        *,
        layout: CardLayout,
        header: CardHeader,
        entitlement: EntitlementFor | None = None,
    ) -> None:
        if header.parts != layout.parts or header.purse_unit != layout.purse_unit:
            raise ValueError("file 01 names other parts than the layout")
        if (Part.ENTITLEMENT in layout.parts) != (entitlement is not None):
            raise ValueError("a layout with an entitlement, and no other, needs one")
        if header.key_version == FACTORY_VERSION:
            raise ValueError("keys of version 0 are the factory's")
        card = OfficeConversation(profile, keys, random_bytes)
        super().__init__(_issue(card, layout, header, entitlement))


class OfficeConversation(Conversation):
    """A conversation that may also put keys on the card."""

    def __init__(self, profile: CardProfile, keys: IssuerKeys, random_bytes: RandomBytes) -> None:
        super().__init__(profile, keys, random_bytes)
        self._issuer_keys = keys

    def own_key(self, number: int, version: int) -> PlainKey:
        """This card's key; the factory's where it was never changed."""
        if version == FACTORY_VERSION:
            return FACTORY_KEY
        return self._issuer_keys.new_key(number, version, self.profile.diversification(self.uid, number))

    def as_master(self) -> Steps[int]:
        """Authenticates with key 0 of the application as it is now; its version."""
        version = yield from get_key_version(self.channel, MASTER_KEY_NUMBER)
        yield from self.authenticate_with(self.own_key(MASTER_KEY_NUMBER, version), MASTER_KEY_NUMBER)
        return version

    def select_card(self) -> Steps[None]:
        """The card's own level."""
        self.channel = OpenChannel()
        accepted((yield from select(NO_APPLICATION)), "to select the card itself")

    def as_card_master(self) -> Steps[None]:
        """Authenticates at the card's own level, with ours or the factory's key, AES or triple DES, as it has it."""
        version = yield from get_key_version(self.channel, 0)
        try:
            yield from self.authenticate_with(self.own_key(CARD_KEY_NUMBER, version), 0)
        except CardStatusError as error:
            # a card whose key is not AES refuses already to begin
            if version != FACTORY_VERSION or error.status != AUTHENTICATION_ERROR:
                raise
            self.channel = yield from authenticate_factory(self._random_bytes(DES_BLOCK))

    def change_keys(self, target: int) -> Steps[tuple[int, ...]]:
        """Keys 1 to 9 to version `target`, each from the version it has; which were changed. Key 0 is the session's."""
        changed = []
        for number in range(1, KEY_COUNT):
            version = yield from get_key_version(self.channel, number)
            if version != target:
                old, new = self.own_key(number, version), self.own_key(number, target)
                yield from self.channel.call(change_other_key(number, new, target, old))
                changed.append(number)
        return tuple(changed)

    def change_master(self, target: int) -> Steps[None]:
        """Key 0, the session's own; the session is over."""
        new = self.own_key(MASTER_KEY_NUMBER, target)
        yield from self.channel.call(change_own_key(MASTER_KEY_NUMBER, new, target))


def _issue(
    card: OfficeConversation, layout: CardLayout, header: CardHeader, entitlement: EntitlementFor | None
) -> Steps[Issued]:
    did: list[str] = []
    yield from card.select_card()
    yield from card.meet()
    signed = b"" if entitlement is None else entitlement(card.uid)  # now: nothing is begun that can't be finished
    if (yield from _ensure_application(card)):
        did.append("created the application")
    yield from card.select()
    version = yield from card.as_master()
    yield from card.prove_uid()
    did += yield from _ensure_files(card, layout)
    changed = yield from card.change_keys(header.key_version)
    if changed:
        did.append(f"changed keys {', '.join(map(str, changed))}")
    if version != header.key_version:
        yield from card.change_master(header.key_version)
        did.append("changed key 0")
        yield from card.select()
    yield from card.authenticate(READ_KEY_NUMBER)
    written = yield from read_data(card.channel, HEADER_FILE, HEADER_LENGTH, HEADER_MODE)
    if written == header.encode():
        return Issued(card.uid, tuple(did))
    if any(written):
        raise CardTaken(f"the card already is card {_number_on(written)}")
    yield from card.authenticate(WRITE_KEY_NUMBER)
    if signed:
        yield from card.channel.call(write_data(ENTITLEMENT_FILE, signed, ENTITLEMENT_MODE))
        did.append("wrote the entitlement")
    yield from card.channel.call(write_data(HEADER_FILE, header.encode(), HEADER_MODE))
    did.append("wrote the card's number")
    return Issued(card.uid, tuple(did))


def _ensure_application(card: OfficeConversation) -> Steps[bool]:
    """Whether it had to be made."""
    aid = card.profile.aid
    response = yield from select(aid)
    if response.status != APPLICATION_NOT_FOUND:
        accepted(response, "to select the application")
        return False
    yield from card.select_card()
    try:
        yield from card.channel.call(create_application(aid, KEY_COUNT))
    except CardStatusError as error:
        if error.status not in NEEDS_KEY:
            raise
        yield from card.select_card()
        yield from card.as_card_master()
        yield from card.channel.call(create_application(aid, KEY_COUNT))
    return True


def _ensure_files(card: OfficeConversation, layout: CardLayout) -> Steps[list[str]]:
    planned = layout.files(knows_ev2=card.knows_ev2)
    there = yield from get_file_ids(card.channel)
    if strange := sorted(there - planned.keys()):
        raise CardTaken(f"the card's application has files that are not planned: {_names(strange)}")
    for number in sorted(there):
        settings = yield from get_file_settings(card.channel, number)
        if lacks_sets(settings, planned[number]):
            yield from _let_guests_read(card, number, planned[number])  # it was torn out between the two
        elif difference := differs(settings, planned[number]):
            raise CardTaken(f"file {number:02X} of the card {difference}")
    for number, settings in planned.items():
        if number in there:
            continue
        key = None
        if isinstance(settings, TransactionMacFile):
            key = card.own_key(TRANSACTION_MAC_KEY_NUMBER, settings.key_version)
        yield from card.channel.call(create_file(number, settings, key))
        if settings.rights.more:
            yield from card.channel.call(change_file_settings(number, settings))
    missing = sorted(planned.keys() - there)
    return [f"created files {_names(missing)}"] if missing else []


def _let_guests_read(card: OfficeConversation, number: int, settings: FileSettings) -> Steps[None]:
    try:
        yield from card.channel.call(change_file_settings(number, settings))
    except CardStatusError as error:
        if error.status != PARAMETER_ERROR:
            raise
        raise CardTaken(f"file {number:02X} of the card was made without room for guests' rights") from None


def _names(numbers: list[int]) -> str:
    return ", ".join(f"{number:02X}" for number in numbers)


def _number_on(written: bytes) -> str:
    try:
        return masked(CardHeader.decode(written).card_number)
    except NotOurCard:
        return "of another format"
