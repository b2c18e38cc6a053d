"""Reading the card application's own files byte by byte: numbers high byte first, days and seconds from 2000-01-01.

Every reader raises ValueError at the end of the bytes, so that a short file is an error and never a zero.
"""

from __future__ import annotations

from datetime import date, timedelta

DAY_ZERO = date(2000, 1, 1)
DAY_MAX = DAY_ZERO + timedelta(days=0xFFFF)
SECOND_ZERO = 946_684_800  # 2000-01-01T00:00:00Z as Unix time: 32 bits then last until 2136
SECOND_MAX = SECOND_ZERO + 0xFFFF_FFFF


class Octets:
    """Takes parts off the front of `data`."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def take(self, length: int) -> bytes:
        part = self._data[self.at : self.at + length]
        if len(part) != length:
            raise ValueError("it ends too early")
        self.at += length
        return part

    def number(self, length: int) -> int:
        return int.from_bytes(self.take(length), "big")

    def text(self, length: int) -> str:
        """ASCII, filled up with zeros."""
        return self.take(length).rstrip(b"\0").decode("ascii")

    def counted(self) -> bytes:
        """As many bytes as the first one says."""
        return self.take(self.number(1))

    def rest(self) -> bytes:
        return self.take(len(self._data) - self.at)


def number(value: int, length: int, what: str) -> bytes:
    """Raises ValueError when it does not fit."""
    if not 0 <= value < 1 << 8 * length:
        raise ValueError(f"{what} is 0 to {(1 << 8 * length) - 1}, not {value}")
    return value.to_bytes(length, "big")


def day(value: date, what: str) -> bytes:
    """Two bytes. Raises ValueError before 2000 and after 2179."""
    if not DAY_ZERO <= value <= DAY_MAX:
        raise ValueError(f"{what} is between {DAY_ZERO} and {DAY_MAX}, not {value}")
    return number((value - DAY_ZERO).days, 2, what)


def day_of(days: int) -> date:
    return DAY_ZERO + timedelta(days=days)


def digits(text: str) -> bytes:
    """Ten bytes of up to 19 digits, two a byte, filled up with F."""
    return bytes.fromhex(text.ljust(20, "F"))
