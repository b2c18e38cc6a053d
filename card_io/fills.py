"""File 04: a card's last fills, a record each, written at the end of a fill where the card is shown again.

    offset length
     0      1     format of this record: 1
     1      1     fuelling point
     2      1     product, a number that the network gives
     3      4     the station's number
     7      4     volume, ml
    11      5     amount, minor units
    16      8     epoch
    24      4     sequence number: with station and epoch, the journal's name of the fill
    28      4     time, seconds since 2000-01-01T00:00:00Z

Knows no session.
"""

from __future__ import annotations

from dataclasses import dataclass

from card_io.counters import EPOCH_LENGTH
from card_io.errors import NotOurCard
from card_io.octets import SECOND_MAX, SECOND_ZERO, Octets, number

FILLS_FILE = 0x04
FILL_LENGTH = 32
FILL_FORMAT = 1
FILLS_KEPT = 10  # a cyclic file of 11 keeps 10: one place is the card's own, for the record under way


@dataclass(frozen=True, slots=True)
class CardFill:
    """One fill. `at_s` is Unix time in seconds, of the end of the delivery."""

    station: int
    epoch: bytes
    seq: int
    point: int
    product: int
    volume_ml: int
    amount_minor: int
    at_s: int

    def __post_init__(self) -> None:
        if len(self.epoch) != EPOCH_LENGTH:
            raise ValueError(f"an epoch has {EPOCH_LENGTH} bytes, not {len(self.epoch)}")
        self.encode()

    def encode(self) -> bytes:
        """The 32 bytes of a record. Raises ValueError for a number that does not fit."""
        return b"".join(
            (
                bytes((FILL_FORMAT,)),
                number(self.point, 1, "a fuelling point"),
                number(self.product, 1, "a product's number"),
                number(self.station, 4, "a station's number"),
                number(self.volume_ml, 4, "a volume in ml"),
                number(self.amount_minor, 5, "an amount"),
                self.epoch,
                number(self.seq, 4, "a sequence number"),
                number(self.at_s - SECOND_ZERO, 4, "a time in seconds since 2000"),
            )
        )

    @classmethod
    def decode(cls, data: bytes) -> CardFill:
        """A record from its bytes. Raises NotOurCard for anything that `encode` would not write."""
        if len(data) != FILL_LENGTH:
            raise NotOurCard(f"a record of file 04 has {len(data)} bytes, not {FILL_LENGTH}")
        if data[0] != FILL_FORMAT:
            raise NotOurCard(f"a record of file 04 has format {data[0]}, this program reads format {FILL_FORMAT}")
        parts = Octets(data[1:])
        point, product, station = parts.number(1), parts.number(1), parts.number(4)
        volume_ml, amount_minor = parts.number(4), parts.number(5)
        epoch, seq, seconds = parts.take(EPOCH_LENGTH), parts.number(4), parts.number(4)
        return cls(station, epoch, seq, point, product, volume_ml, amount_minor, seconds + SECOND_ZERO)


def keepable(at_s: int) -> int:
    """The nearest time (Unix, seconds) that a record can have: a station's clock may stand in 1970."""
    return min(max(at_s, SECOND_ZERO), SECOND_MAX)
