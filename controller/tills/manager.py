"""What a manager says at the desk of accounts, PINs and odometers: money set apart here, and locks that are lifted.

Each is a row of the journal. Knows no pump and no sale.
"""

import asyncio
from datetime import date, datetime, timedelta

from card_io.errors import ReleaseForged
from card_io.release import read_release
from controller.deciding.decisions import refuse
from controller.domain.allotments import account_pot, taken_off, token_pot
from controller.domain.desk import (
    Allot,
    CommandResult,
    ManagerCommand,
    ReleasePurse,
    ResetOdometer,
    UnlockPin,
    Unreserve,
)
from controller.domain.pin_records import PinUnlocked
from controller.domain.purse_records import PurseReleased
from controller.domain.reasons import Reason
from controller.domain.records import Allotted, OdometerReset, RowName, Unreserved
from controller.domain.seams import MS_PER_S
from controller.domain.tokens import TokenRef
from controller.site import Site
from controller.store.writer import JournalUnwritable


class Manager:
    """Carries out what is said of accounts and PINs."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._allotting = asyncio.Lock()
        """One allotment after the other: two tills that give another sum one id must not both hear that it is done."""

    async def allot(self, command: Allot, till: str) -> CommandResult:
        """Money that headquarters has set apart. An id that is known already adds nothing, if the rest is the same."""
        async with self._allotting:
            return await self._allot(command, till)

    async def reset_odometer(self, command: ResetOdometer, till: str) -> CommandResult:
        """The last reading of a card or a plate is forgotten."""
        token = self._token(command)
        if token is None:
            return refuse(command.command_id, Reason.CARD_UNKNOWN)
        return await self._write(command, OdometerReset(token, till, command.command_id))

    async def unlock(self, command: UnlockPin, till: str) -> CommandResult:
        """Wrong PINs of a card or a plate are forgotten."""
        token = self._token(command)
        if token is None:
            return refuse(command.command_id, Reason.CARD_UNKNOWN)
        async with self._site.trying:  # a try that is being checked counts before, and not over this word
            return await self._write(command, PinUnlocked(token, till, command.command_id))

    def answer_of_before(self, command: ManagerCommand, name: RowName) -> CommandResult | None:
        """The answer to a command that made this row, if it said the same. Some are others' to carry out."""
        row = self._site.books.desk_words.get(name)
        match command, row:
            case Allot(), Allotted():
                said = command.allotment_id, self._pot(command), command.amount_minor
                same = said == (row.allotment_id, row.pot, row.amount_minor)
                same = same and self._midnight_ms(command.valid_until) == row.valid_until_ms
            case UnlockPin(), PinUnlocked():
                token = self._token(command)
                same = token is not None and token.key == row.token.key
            case ResetOdometer(), OdometerReset():
                token = self._token(command)
                same = token is not None and token.key == row.token.key
            case Unreserve(), Unreserved():
                same = command.reason.strip() == row.reason and command.row in {"", row.authorised.text}
                same = same and (row.volume_ml is None) == (command.spent_minor is None)
                same = same and command.spent_minor in {None, row.spent_minor}
            case ReleasePurse(), PurseReleased():
                same = _is_release(command.release, row)
            case _:
                same = False
        return CommandResult(command.command_id, done=True) if same else None

    async def _allot(self, command: Allot, till: str) -> CommandResult:
        pot = self._pot(command)
        named = command.allotment_id and not taken_off(command.allotment_id)
        if pot is None or not named or command.amount_minor <= 0:
            return refuse(command.command_id, Reason.ALLOTMENT_INVALID)
        known = self._site.books.usage.allotments.pots.get(pot)
        if known is not None and command.allotment_id in known.ids:
            if known.ids[command.allotment_id] != (command.amount_minor, self._midnight_ms(command.valid_until)):
                return refuse(command.command_id, Reason.COMMAND_REUSED)
            return CommandResult(command.command_id, done=True)
        until_ms = self._until_ms(command.valid_until)
        if until_ms is None:
            return refuse(command.command_id, Reason.ALLOTMENT_INVALID)
        row = Allotted(command.allotment_id, pot, command.amount_minor, till, command.command_id, until_ms)
        return await self._write(command, row)

    def _until_ms(self, last_day: str) -> int | None:
        """When an allotment ends; 0: never. None for what is no day, or over already."""
        until_ms = self._midnight_ms(last_day)
        return None if until_ms is None or 0 < until_ms <= self._site.wall_ms else until_ms

    def _midnight_ms(self, last_day: str) -> int | None:
        """The end of a day at the station; 0 where there is none, None if it is no day."""
        if not last_day:
            return 0
        try:
            after = date.fromisoformat(last_day) + timedelta(days=1)
            midnight = datetime(after.year, after.month, after.day, tzinfo=self._site.books.business_day.zone)
            return int(midnight.timestamp()) * MS_PER_S
        except (ValueError, OverflowError):
            return None

    async def _write(
        self, command: Allot | UnlockPin | ResetOdometer, row: Allotted | PinUnlocked | OdometerReset
    ) -> CommandResult:
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

    def _token(self, command: UnlockPin | ResetOdometer) -> TokenRef | None:
        if bool(command.card) == bool(command.plate):
            return None
        try:
            return self._site.card(command.card) if command.card else self._site.plate(command.plate)
        except ValueError:
            return None


def _is_release(text: str, row: PurseReleased) -> bool:
    try:
        release, signature = read_release(text)
    except ReleaseForged:
        return False
    said = RowName(release.epoch, release.seq), release.amount, signature
    return said == (row.intended, row.amount, row.signature)
