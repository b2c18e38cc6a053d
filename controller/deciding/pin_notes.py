"""Wrong PINs, written on the card that they were typed for: so that three lock it, wherever they are typed.

Only while the card still lies at a reader, and only where this station has the debit key: a card without it says so
before anything is changed. Before, the try is on disk here: a card that is pulled away or fails changes nothing of
that. Knows no PIN and no pump.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import date

from card_io.counters import countable
from card_io.facts import CardFacts
from card_io.orders import NoteOrder
from card_io.reader import CardReader
from controller.domain.card_proof import CardAct, CardProof, station_reader_id
from controller.domain.names import RowName
from controller.domain.pin_records import PinNoted
from controller.domain.tokens import TokenRef
from controller.site import Site

log = logging.getLogger("forecourt.cards")

Proved = Callable[[bytes, CardFacts], None]
"""Takes what is now known of a card, by token key."""


class PinNotes:
    """All readers of a station. `station` is the number by which cards know it, and must have one to write on them."""

    def __init__(self, site: Site, station: int, proved: Proved) -> None:
        self._site = site
        self._station = station
        self._proved = proved
        self._there: dict[bytes, tuple[CardReader, CardFacts]] = {}

    def put_on(self, token: TokenRef, reader: CardReader, facts: CardFacts) -> None:
        """A proven card lies on this reader."""
        self.taken_off(reader)
        self._there[token.key] = reader, facts

    def taken_off(self, reader: CardReader) -> None:
        """The reader has no card."""
        for key in [key for key, (there, _) in self._there.items() if there is reader]:
            del self._there[key]

    async def note(self, token: TokenRef, wrong: int, tried: RowName) -> None:
        """Let the card say `wrong`, if it can be written here and says something else. `tried`: the row of the try."""
        reader, facts = self._there.get(token.key, (None, None))
        if reader is None or facts is None or facts.counters is None or not self._station:
            return
        if facts.counters.pin_tries == wrong:
            return
        reader_id = station_reader_id(self._station)
        today = countable(date.fromordinal(self._site.day_of(self._site.wall_ms)))
        order = NoteOrder(uid=facts.uid, today=today, reader_id=reader_id, pin_tries=wrong)
        changed = await reader.change(order)
        if changed.outcome != "applied" or changed.written is None:
            log.info("PIN tries of %s are not on the card: %s: %s", token.shown, changed.outcome, changed.text)
            return
        proof = None
        if (said := changed.proof) is not None:
            proof = CardProof(
                card_key=token.key,
                act=CardAct.NOTE,
                amount=0,
                station=self._station,
                epoch=tried.epoch,
                seq=tried.seq,
                tmc=said.counter,
                tmv=said.value,
                reader_id=reader_id,
                commands=said.commands,
            )
        after = replace(facts, counters=changed.written)
        if after.purse is not None and proof is not None:
            after = replace(after, purse=replace(after.purse, counter=proof.tmc))
        if token.key in self._there:
            self._there[token.key] = reader, after
        self._proved(token.key, after)
        await self._site.write_surely(PinNoted(token, wrong, proof))
