"""What all sessions with a card of the network do alike: select it, prove it, and change keys in between.

    5A  select the application
    60  GetVersion: the UID and the generation    the UID diversifies the keys; a claim until step 51
    64  version of the key                        chooses the master, so that keys can be rotated card by card
    71  authenticate (AA on an EV1 card)          proves the card
    51  UID under encryption                      proves the UID
    AD  file 01 under MAC                         card number, scheme, issuer, and what else is on the card

Sans-IO: randomness and keys come in. It must not know readers, lists or limits.
"""

from __future__ import annotations

from collections.abc import Callable

from card_io.apdu import Command, Response
from card_io.application import HEADER_FILE, HEADER_LENGTH, CardHeader, CardProfile
from card_io.counters import COUNTERS_FILE, COUNTERS_LENGTH, Counters
from card_io.desfire.channel import Channel, OpenChannel, accepted
from card_io.desfire.commands import (
    SELECT_APPLICATION,
    TransactionMac,
    get_card_uid,
    get_key_version,
    get_version,
    read_data,
)
from card_io.desfire.crypto import BLOCK, CardKey, same
from card_io.desfire.ev1 import authenticate_ev1
from card_io.desfire.ev2 import Ev2Channel, authenticate_ev2_first
from card_io.errors import AnotherCard, CardCloned, CardStatusError, NotOurCard
from card_io.keys import KeyStore
from card_io.layout import (
    COUNTERS_MODE,
    HEADER_MODE,
    TRANSACTION_MAC_FILE,
    TRANSACTION_MAC_LENGTH,
    TRANSACTION_MAC_MODE,
)
from card_io.meanwhile import Meanwhile, at_once
from card_io.session import Steps

RandomBytes = Callable[[int], bytes]

APPLICATION_NOT_FOUND = 0x91A0
COMMAND_ABORTED = 0x91CA
NO_RIGHT = (0x919D, 0x91AE)  # no right with this key, as EV2 and later say it, and as EV1 does
NO_APPLICATION = b"\0\0\0"  # the AID of the card itself


def select(aid: bytes) -> Steps[Response]:
    """Selects an application; whatever the card says.

    A card that was left in the midst of a longer command, by a session that ended without taking its power, says
    "aborted" to the next one first: it is asked again.
    """
    response = yield Command.desfire(SELECT_APPLICATION, aid)
    if response.status == COMMAND_ABORTED:
        response = yield Command.desfire(SELECT_APPLICATION, aid)
    return response


class Conversation:
    """One card's, from selection to the end. `random_bytes(n)` gives n fresh random bytes: 16 an authentication."""

    def __init__(
        self, profile: CardProfile, keys: KeyStore, random_bytes: RandomBytes, *, meanwhile: Meanwhile = at_once
    ) -> None:
        self.profile = profile
        self.meanwhile = meanwhile
        self.channel: Channel = OpenChannel()
        self.uid = b""  # claimed until proven
        self.knows_ev2 = True
        self._keys = keys
        self._random_bytes = random_bytes

    def select(self) -> Steps[None]:
        """The network's application. Raises NotOurCard where there is none."""
        self.channel = OpenChannel()
        response = yield from select(self.profile.aid)
        if response.status == APPLICATION_NOT_FOUND:
            raise NotOurCard("the card does not carry this network's application")
        accepted(response, "to select the application")

    def meet(self) -> Steps[None]:
        """Who the card claims to be, and which generation: at any level, before authentication."""
        version = yield from get_version(self.channel)
        self.uid, self.knows_ev2 = version.uid, version.knows_ev2

    def authenticate(self, number: int) -> Steps[int]:
        """With the card's own key `number`, of the version that the card says; the version. A new session."""
        version = yield from get_key_version(self.channel, number)
        yield from self.authenticate_with(self._key(number, version), number)
        return version

    def authenticate_with(self, key: CardKey, number: int) -> Steps[None]:
        """With this key. A transaction that was not committed is over."""
        rnd_a = self._random_bytes(BLOCK)
        if self.knows_ev2:
            self.channel = yield from authenticate_ev2_first(key, number, rnd_a, self.meanwhile)
        else:
            self.channel = yield from authenticate_ev1(key, number, rnd_a)

    def switch(self, number: int) -> Steps[None]:
        """To another key, in the midst of a transaction: what was written stays pending."""
        version = yield from get_key_version(self.channel, number)
        key = self._key(number, version)
        if isinstance(self.channel, Ev2Channel):
            yield from self.channel.authenticate_non_first(key, number, self._random_bytes(BLOCK), self.meanwhile)
        else:
            yield from self.authenticate_with(key, number)

    def prove_uid(self) -> Steps[None]:
        """That the UID which chose the keys is the card's."""
        uid = yield from get_card_uid(self.channel)
        if not same(uid, self.uid):
            raise CardCloned("the card claims one UID and proves another")

    def header(self) -> Steps[CardHeader]:
        """File 01. Raises NotOurCard where this station is a guest, and the card lets no guest read it."""
        try:
            raw = yield from read_data(self.channel, HEADER_FILE, HEADER_LENGTH, HEADER_MODE)
        except CardStatusError as error:
            if not self.profile.guest or error.status not in NO_RIGHT:
                raise
            raise NotOurCard("the card lets no other network read it (of the first generation, or made so)") from None
        return CardHeader.decode(raw)

    def counters(self) -> Steps[Counters]:
        raw = yield from read_data(self.channel, COUNTERS_FILE, COUNTERS_LENGTH, COUNTERS_MODE)
        return Counters.decode(raw)

    def transaction_mac(self) -> Steps[TransactionMac]:
        raw = yield from read_data(self.channel, TRANSACTION_MAC_FILE, TRANSACTION_MAC_LENGTH, TRANSACTION_MAC_MODE)
        return TransactionMac.parse(raw)

    def prove(self, expected_uid: bytes | None = None) -> Steps[CardHeader]:
        """All of the steps above. Raises AnotherCard when a certain card is expected and this is not it."""
        yield from self.select()
        yield from self.meet()
        if expected_uid is not None and self.uid != expected_uid:
            raise AnotherCard("this is not the card that was shown before")
        yield from self.authenticate(self.profile.read_key_number)
        yield from self.prove_uid()
        return (yield from self.header())

    def _key(self, number: int, version: int) -> CardKey:
        return self._keys.card_key(number, version, self.profile.diversification(self.uid, number))
