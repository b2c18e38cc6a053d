"""The inside of a simulated card: what it keeps, what it forgets without power, and the checks all commands share.

Commands are functions over a `Chip`; they raise Refused, and write what is kept through `keep()`, once, at their end.
Knows no frame and no command code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sim.cards.messaging import Messaging, Session, Unprotected
from sim.cards.state import FREE, Application, CardState, File, Mode
from sim.cards.status import AUTHENTICATION, DENIED, NO_FILE, NO_SUCH_KEY, Refused
from sim.cards.transaction import Transaction

MASTER_KEY = 0

# Bits of the key settings, of the card and of an application alike.
MASTER_CHANGEABLE, FREE_LISTING, FREE_CREATION, SETTINGS_CHANGEABLE = 0x01, 0x02, 0x04, 0x08


class Handshake(Protocol):
    """An authentication under way: `finish` takes the reader's answer to the challenge and gives the card's."""

    def finish(self, chip: Chip, data: bytes) -> bytes: ...


class Chip:
    """`random(n)` gives n random bytes; `store` is called with the state each time that it has changed."""

    def __init__(
        self, state: CardState, random: Callable[[int], bytes], store: Callable[[CardState], None] | None = None
    ) -> None:
        self.state = state
        self.random = random
        self._store = store
        self.application: Application | None = None
        self.session: Session | None = None
        self.handshake: Handshake | None = None
        self.transaction = Transaction()
        self._unprotected = Unprotected()

    @property
    def messaging(self) -> Messaging:
        return self.session or self._unprotected

    @property
    def key_settings(self) -> int:
        return self.state.key_settings if self.application is None else self.application.key_settings

    def keep(self) -> None:
        """The state changed: it goes to where it outlasts power and process, whole."""
        if self._store is not None:
            self._store(self.state)

    def power_off(self) -> None:
        self.select(None)

    def select(self, application: Application | None) -> None:
        """Another application, or the card itself: session and transaction are over."""
        self.application = application
        self.forget()

    def forget(self) -> None:
        """What any error does: session, handshake and transaction are gone."""
        self.session, self.handshake = None, None
        self.transaction = Transaction()

    def selected(self) -> Application:
        """The selected application; at card level this is refused."""
        if self.application is None:
            raise Refused(DENIED)
        return self.application

    def at_card_level(self) -> None:
        if self.application is not None:
            raise Refused(DENIED)

    def needs_master(self, unless: int = 0) -> None:
        """Refused without a session of the master key of what is selected, or the `unless` bit of its settings."""
        if self.key_settings & unless:
            return
        if self.session is None:
            raise Refused(AUTHENTICATION)
        if self.session.key_number != MASTER_KEY:
            raise Refused(DENIED)

    def key_count(self) -> int:
        return 1 if self.application is None else len(self.application.keys)

    def check_key_number(self, number: int) -> None:
        if number >= self.key_count():
            raise Refused(NO_SUCH_KEY)

    def file(self, number: int) -> File:
        """A file of the selected application."""
        found = None if self.application is None else self.application.files.get(number)
        if found is None:
            raise Refused(NO_FILE)
        return found

    def has_key(self, *keys: int) -> bool:
        """Whether this session's key is one of these."""
        return self.session is not None and self.session.key_number in keys

    def mode_by(self, file: File, *keys: int) -> Mode:
        """How a command travels that any of these access rights allows; Refused when none does.

        Who comes in by a free right only, travels in plain.
        """
        if self.has_key(*keys):
            return file.mode
        if FREE in keys:
            return "plain"
        if self.session is None and any(key < FREE for key in keys):
            raise Refused(AUTHENTICATION)
        raise Refused(DENIED)
