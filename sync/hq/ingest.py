"""Takes a station's batch: signature, chain, store, acknowledgement. Bytes in, bytes out.

Whatever comes, it ends either in an acknowledgement that states what is on disk, or in an error whose text is a
sentence and after which nothing is stored. Knows no HTTP, and the time only as it is told.
"""

from controller.domain.records import Body, DamagedRow, Row, Started, open_row
from sync.hq.store import Store
from sync.wire import Batch, ChainBroken, Malformed, NotThisJournal, SealedBatch, pack_acknowledgement

_INTEGER_LIMIT = "a number in the batch is larger than any database keeps (64 bits)"


class Ingest:
    """Headquarters' entrance for rows. `simulated` headquarters takes simulated stations and no others."""

    def __init__(self, store: Store, *, simulated: bool) -> None:
        self._store = store
        self._simulated = simulated

    def receive(self, data: bytes, now_ms: int) -> bytes:
        """Store what is new in a batch and give the acknowledgement's bytes.

        `now_ms`: headquarters' wall time. Raises a WireError for a batch that will never be taken, a StoreError
        (StoreFull) if it should be sent again.
        """
        sealed = SealedBatch(data)
        batch = sealed.open(self._store.public_key(sealed.station))
        checked = self._check(batch)
        try:
            acknowledgement = self._store.append(batch.station, batch.after_seq, batch.previous_hash, checked, now_ms)
        except OverflowError as error:
            raise Malformed(_INTEGER_LIMIT) from error
        return pack_acknowledgement(acknowledgement)

    def _check(self, batch: Batch) -> list[tuple[Row, Body]]:
        checked: list[tuple[Row, Body]] = []
        previous_hash = batch.previous_hash
        for seq, row in enumerate(batch.rows, start=batch.after_seq + 1):
            try:
                body = open_row(previous_hash, row)
            except (DamagedRow, RecursionError) as error:
                raise ChainBroken(f"station {batch.station}, row {seq}: {error}") from error
            if body.name.seq != seq:
                raise ChainBroken(f"station {batch.station}: row {body.name.text} stands where row {seq} belongs")
            if isinstance(body.record, Started):
                self._check_origin(batch.station, body.record)
            checked.append((row, body))
            previous_hash = row.hash
        return checked

    def _check_origin(self, station: str, started: Started) -> None:
        if started.station != station:
            raise NotThisJournal(f"station {station} sent the journal of station {started.station}: check station.toml")
        if started.simulated != self._simulated:
            ours, theirs = ("simulated", "real") if self._simulated else ("real", "simulated")
            raise NotThisJournal(
                f"station {station} is {theirs} and this headquarters is {ours}: check `simulated` on both sides"
            )
