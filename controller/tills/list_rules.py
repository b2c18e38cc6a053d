"""Takes a programme's rules from the list that headquarters signed: quotes go by them from the next one on.

Rules are right, or the old ones stay and a person is told why. Those of a programme that station.toml does not use are
not looked at. Where the list has none of a programme, those of station.toml count. Knows no till and no file.
"""

import logging
from collections.abc import Callable, Iterable

from controller.domain.list_entries import Catalogue, Rule
from controller.domain.programmes.programme import Programme, ProgrammeError
from controller.domain.quantities import Currency
from controller.programme_files import ProgrammeText, checked, version_of
from controller.site import Site
from controller.store.writer import JournalUnwritable
from controller.tills.programmes_desk import ProgrammesDesk

EVERY_S = 300
"""So often it looks for a new list: as often as the station fetches one."""

log = logging.getLogger("forecourt.station")


class ListRules:
    """The list's rules at one station. `start()` it after the desk's, then `run()` it."""

    def __init__(
        self,
        site: Site,
        desk: ProgrammesDesk,
        used: Iterable[ProgrammeText],
        currency: Currency,
        on_change: Callable[[Programme], None],
    ) -> None:
        """`used`: the programmes as station.toml has them. `on_change` hears of each that is another now."""
        self._site = site
        self._desk = desk
        self._used = {text.programme.name: text for text in used}
        self._currency = currency
        self._on_change = on_change

    async def start(self) -> None:
        """Go by what the list says; where that is wrong, or cannot be read, by what this station went by before."""
        taken = dict(self._site.books.members.taken)
        await self._look()
        unreadable = self._site.lists.catalogue() is None and bool(self._site.lists.trouble)
        for name in self._used:
            if (unreadable or self._refused(name)) and name in taken:
                await self._go_back(name, taken[name].text)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._site.sleep_s(EVERY_S)
            try:
                await self._look()
            except JournalUnwritable as error:
                log.warning("rules of the list could not be written, they are taken later: %s", error)

    async def _look(self) -> None:
        catalogue = self._site.lists.catalogue()
        if catalogue is None:
            return  # who cannot read the list knows nothing of it
        listed = {rule.name: rule for rule in catalogue.rules}
        for name, own in self._used.items():
            why_not = ""
            wanted = own
            if name in listed and version_of(listed[name].toml) != own.version:
                try:
                    wanted = self._read(listed[name], catalogue)
                except ProgrammeError as error:
                    why_not = (
                        f"The rules of {name} on the list (version {catalogue.version}) are not taken, the old ones "
                        f"stay: {error}"
                    )
            if not why_not:
                await self._go_by(wanted)
            self._site.trouble(_where(name), why_not or None)

    def _read(self, rule: Rule, catalogue: Catalogue) -> ProgrammeText:
        """ProgrammeError says why these rules are not for this station."""
        if not catalogue.signed:
            raise ProgrammeError("the list was imported here, and rules are taken from headquarters' signed lists only")
        text = checked(rule.toml, f"rule {rule.name}")
        if text.programme.name != rule.name:
            raise ProgrammeError(f"they are those of {text.programme.name}")
        if text.programme.currency != self._currency:
            raise ProgrammeError(
                f"they count in {text.programme.currency.code}, and this station in {self._currency.code}"
            )
        return text

    def _refused(self, name: str) -> bool:
        return _where(name) in self._site.troubles

    async def _go_back(self, name: str, text: str) -> None:
        try:
            before = checked(text, "the journal")
        except ProgrammeError:
            return  # of a program that knew other rules: station.toml's count
        await self._go_by(before)

    async def _go_by(self, text: ProgrammeText) -> None:
        name = text.programme.name
        other = text.version != self._desk.version(name)
        await self._desk.go_by(text)
        if other:
            self._on_change(text.programme)
            log.info("quotes of %s go by the rules %s", name, text.version)


def _where(name: str) -> str:
    return f"rules of {name}"
