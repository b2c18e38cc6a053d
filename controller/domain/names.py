"""The name of a journal row, for ever: epoch and number within its station. Knows no record and no file."""

import msgspec

EPOCH_BYTES = 8


class RowName(msgspec.Struct, frozen=True, array_like=True, order=True):
    """A row's name within its station. `seq` counts from 1 without a gap, through all epochs of one chain."""

    epoch: bytes
    seq: int

    @property
    def text(self) -> str:
        return f"{self.epoch.hex()}-{self.seq}"


def parse_row_name(text: str) -> RowName:
    """The name back from `RowName.text`. ValueError if it is none."""
    epoch, dash, seq = text.partition("-")
    if not (dash and seq.isdecimal() and seq.isascii() and len(epoch) == 2 * EPOCH_BYTES and epoch.isalnum()):
        raise ValueError(f"{text!r} names no row: expected {2 * EPOCH_BYTES} hex digits, a dash and a number")
    return RowName(bytes.fromhex(epoch), int(seq))
