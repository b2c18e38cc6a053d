"""Prices of grades: changed at the desk, or by an edit of station.toml; a change is on disk before any pump hears it.

Which price counts is said in `controller.domain.prices`; headquarters' prices are taken by
`controller.deciding.list_prices`. Knows no pump's protocol and no till's lease.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from controller.deciding.decisions import refuse
from controller.domain.desk import ChangePrice, CommandResult
from controller.domain.prices import PriceField, file_was_edited, parse_price
from controller.domain.quantities import UnitPrice, same_price
from controller.domain.reasons import CATALOGUE, Reason
from controller.domain.records import PriceChanged, PriceSource, RowName
from controller.site import Site
from controller.store.writer import JournalUnwritable


class Pricing:
    """The station's prices. `on_change` hears of each grade whose price is another now."""

    def __init__(
        self,
        site: Site,
        fields: Mapping[str, Sequence[PriceField]],
        on_change: Callable[[str], None],
        from_list: Callable[[str], bool] = lambda grade: False,
    ) -> None:
        """`fields`, by grade: what its pumps can show. `from_list`: whether headquarters sets a grade's price."""
        self._site = site
        self._fields = fields
        self._on_change = on_change
        self._from_list = from_list

    async def start(self) -> None:
        """Take over what was edited in station.toml since the last change of a price."""
        books = self._site.books
        for code, grade in self._site.file_grades.items():
            changed = books.prices.get(code)
            if changed is not None and file_was_edited(grade, changed):
                if changed.source is PriceSource.HEADQUARTERS and self._from_list(code):
                    await self._site.write(msgspec.structs.replace(changed, file_price=grade.price))
                else:
                    await self._site.write(PriceChanged(code, grade.price, grade.price, "", ""))

    async def change(self, command: ChangePrice, till: str) -> CommandResult:
        """Change a price, and tell the pumps."""
        grade = self._site.file_grades.get(command.grade)
        if grade is None:
            return refuse(command.command_id, Reason.GRADE_UNKNOWN)
        if self._from_list(command.grade):
            return refuse(command.command_id, Reason.PRICE_BY_HEADQUARTERS)
        try:
            price = self._parse(command)
        except ValueError as error:
            text = f"{CATALOGUE[Reason.PRICE_INVALID].attendant} ({error})"
            return CommandResult(command.command_id, done=False, reason=Reason.PRICE_INVALID, text=text)
        try:
            await self._site.write(PriceChanged(command.grade, price, grade.price, till, command.command_id))
        except JournalUnwritable:
            return refuse(command.command_id, Reason.JOURNAL_FULL)
        self._on_change(command.grade)
        return _changed(command)

    def answer_of_before(self, command: ChangePrice, name: RowName) -> CommandResult | None:
        """The answer to a command that made this row, if it asked for the same."""
        change = self._site.books.price_changes.get(name)
        if change is None or change.grade != command.grade:
            return None
        try:
            return _changed(command) if same_price(change.price, self._parse(command)) else None
        except ValueError:
            return None

    def _parse(self, command: ChangePrice) -> UnitPrice:
        return parse_price(command.price, self._fields.get(command.grade, ()))


def _changed(command: ChangePrice) -> CommandResult:
    return CommandResult(command.command_id, done=True)
