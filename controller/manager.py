"""What a manager says at the desk of accounts and PINs: money set apart for this station, and a lock that is lifted.

Each is a row of the journal. Knows no pump and no sale.
"""

from controller.decisions import refuse
from controller.domain.allotments import account_pot, token_pot
from controller.domain.desk import Allot, CommandResult, UnlockPin
from controller.domain.reasons import Reason
from controller.domain.records import Allotted, PinUnlocked, RowName
from controller.domain.tokens import TokenRef
from controller.site import Site
from controller.store.writer import JournalUnwritable


class Manager:
    """Carries out what is said of accounts and PINs."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def allot(self, command: Allot, till: str) -> CommandResult:
        """Money that headquarters has set apart. An id that is known already adds nothing, if the rest is the same."""
        pot = self._pot(command)
        if pot is None or not command.allotment_id or command.amount_minor <= 0:
            return refuse(command.command_id, Reason.ALLOTMENT_INVALID)
        known = self._site.books.usage.allotments.pots.get(pot)
        if known is not None and command.allotment_id in known.ids:
            if known.ids[command.allotment_id] != command.amount_minor:
                return refuse(command.command_id, Reason.COMMAND_REUSED)
            return CommandResult(command.command_id, done=True)
        row = Allotted(command.allotment_id, pot, command.amount_minor, till, command.command_id)
        return await self._write(command, row)

    async def unlock(self, command: UnlockPin, till: str) -> CommandResult:
        """Wrong PINs of a card or a plate are forgotten."""
        token = self._token(command)
        if token is None:
            return refuse(command.command_id, Reason.CARD_UNKNOWN)
        return await self._write(command, PinUnlocked(token, till, command.command_id))

    def answer_of_before(self, command: Allot | UnlockPin, name: RowName) -> CommandResult | None:
        """The answer to a command that made this row, if it said the same."""
        row = self._site.books.desk_words.get(name)
        match command, row:
            case Allot(), Allotted():
                said = command.allotment_id, self._pot(command), command.amount_minor
                same = said == (row.allotment_id, row.pot, row.amount_minor)
            case UnlockPin(), PinUnlocked():
                token = self._token(command)
                same = token is not None and token.key == row.token.key
            case _:
                same = False
        return CommandResult(command.command_id, done=True) if same else None

    async def _write(self, command: Allot | UnlockPin, row: Allotted | PinUnlocked) -> CommandResult:
        try:
            await self._site.write(row)
        except JournalUnwritable:
            return refuse(command.command_id, Reason.JOURNAL_FULL)
        return CommandResult(command.command_id, done=True)

    def _pot(self, command: Allot) -> str | None:
        """An account, or a card: one of the two."""
        if bool(command.account) == bool(command.card):
            return None
        if command.account:
            return account_pot(command.account)
        try:
            return token_pot(self._site.card(command.card).key)
        except ValueError:
            return None

    def _token(self, command: UnlockPin) -> TokenRef | None:
        if bool(command.card) == bool(command.plate):
            return None
        try:
            return self._site.card(command.card) if command.card else self._site.plate(command.plate)
        except ValueError:
            return None
