"""How the application lies on a card: which files, how large, how protected, which key may what.

The personalisation creates it and the verification holds a card against it. The table, by key: 0 master and 3 write
(headquarters only), 1 read and 2 debit (stations), 5 to 9 read keys of other acquirers (guests).

    01 standard   MAC   read 1 and guests, write 3          who the card is
    02 standard   full  read 1 and guests, write 3          the signed entitlement
    03 value      full  read -, write 2, read and write 3   the purse: write gets the value, debits, gives back; only
                                                            read and write credits. A right to read would allow to debit
    04 records    MAC   read 1, write 2                     the last fills
    05 backup     full  read 1 and guests, write 2          counters and the open debit
    0F Transaction MAC  read 1, reader id 2                 its key is at headquarters only

A guest must know who the card is (01), what it may (02), and what of that is used up and whether its PIN is locked
(05): else a day's limit would be there once more at each guest. Where its holder fuelled (04) and what the card signed
(0F) is not a guest's affair. Each guest has a further set of rights of its own (see `desfire.files`), with the right to
read and no other; it never holds the debit key. **EV1 cards have no such sets**: they are made without, and no guest
can read them.

Knows no command.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from card_io.application import (
    ALL_PARTS,
    DEBIT_KEY_NUMBER,
    GUEST_KEY_NUMBERS,
    HEADER_FILE,
    HEADER_LENGTH,
    MASTER_KEY_NUMBER,
    READ_KEY_NUMBER,
    WRITE_KEY_NUMBER,
    Part,
    PurseUnit,
)
from card_io.counters import COUNTERS_FILE, COUNTERS_LENGTH
from card_io.desfire.channel import Mode
from card_io.desfire.commands import VALUE_MAX
from card_io.desfire.files import (
    CyclicFile,
    DataFile,
    FileSettings,
    MoreRights,
    Rights,
    TransactionMacFile,
    ValueFile,
)
from card_io.entitlement import ENTITLEMENT_FILE, ENTITLEMENT_LENGTH
from card_io.fills import FILL_LENGTH, FILLS_FILE, FILLS_KEPT

PURSE_FILE = 0x03
TRANSACTION_MAC_FILE = 0x0F
KEY_COUNT = 10

HEADER_MODE = Mode.MAC
ENTITLEMENT_MODE = Mode.FULL
PURSE_MODE = Mode.FULL
FILLS_MODE = Mode.MAC
COUNTERS_MODE = Mode.FULL
TRANSACTION_MAC_MODE = Mode.MAC
TRANSACTION_MAC_LENGTH = 12

_READ = Rights(READ_KEY_NUMBER, WRITE_KEY_NUMBER, change=MASTER_KEY_NUMBER)
_STATION = Rights(READ_KEY_NUMBER, DEBIT_KEY_NUMBER, change=MASTER_KEY_NUMBER)
_PURSE = Rights(0x0F, DEBIT_KEY_NUMBER, WRITE_KEY_NUMBER, MASTER_KEY_NUMBER)
_GUESTS = tuple(MoreRights(number) for number in GUEST_KEY_NUMBERS)
_MAC = Rights(READ_KEY_NUMBER, read_write=DEBIT_KEY_NUMBER, change=MASTER_KEY_NUMBER)


@dataclass(frozen=True, slots=True)
class CardLayout:
    """What a network puts on its cards. `purse_max` is the most that a purse may hold, in its unit.

    `mac_key_version` is what a Transaction MAC file says of its key. Leave TRANSACTION_MAC out for EV1 cards. `guests`:
    whether other acquirers may read the cards, once they are given a key.
    """

    parts: Part = ALL_PARTS & ~(Part.PURSE | Part.TRANSACTION_MAC)
    purse_unit: PurseUnit | None = None
    purse_max: int = VALUE_MAX
    mac_key_version: int = 1
    guests: bool = True

    def __post_init__(self) -> None:
        if (Part.PURSE in self.parts) != (self.purse_unit is not None):
            raise ValueError("a layout with a purse, and no other, names the purse's unit")
        if Part.PURSE in self.parts and Part.COUNTERS not in self.parts:
            raise ValueError("a purse needs the counters' file: a debit is noted there")
        if not 0 < self.mac_key_version <= 0xFF:
            raise ValueError("a Transaction MAC key's version is 1 to 255: version 0 is the factory's key of zeros")
        if not 0 < self.purse_max <= VALUE_MAX:
            raise ValueError(f"a purse holds 1 to {VALUE_MAX}")

    def files(self, *, knows_ev2: bool) -> Mapping[int, FileSettings]:
        """Each file by its number, in the order in which they are created, on a card of this generation."""
        more = _GUESTS if self.guests and knows_ev2 else ()
        read, station = replace(_READ, more=more), replace(_STATION, more=more)
        files: dict[int, FileSettings] = {HEADER_FILE: DataFile(HEADER_MODE, read, HEADER_LENGTH)}
        if Part.ENTITLEMENT in self.parts:
            files[ENTITLEMENT_FILE] = DataFile(ENTITLEMENT_MODE, read, ENTITLEMENT_LENGTH)
        if Part.PURSE in self.parts:
            files[PURSE_FILE] = ValueFile(PURSE_MODE, _PURSE, 0, self.purse_max)
        if Part.FILLS in self.parts:
            files[FILLS_FILE] = CyclicFile(FILLS_MODE, _STATION, FILL_LENGTH, FILLS_KEPT + 1)
        if Part.COUNTERS in self.parts:
            files[COUNTERS_FILE] = DataFile(COUNTERS_MODE, station, COUNTERS_LENGTH, backup=True)
        if Part.TRANSACTION_MAC in self.parts:
            files[TRANSACTION_MAC_FILE] = TransactionMacFile(TRANSACTION_MAC_MODE, _MAC, self.mac_key_version)
        return files


def differs(there: FileSettings, planned: FileSettings) -> str | None:
    """How a file on a card is not the planned one, in words; None when it is."""
    if type(there) is not type(planned):
        return f"is a {_NAMES[type(there)]}, not a {_NAMES[type(planned)]}"
    if isinstance(there, ValueFile) and isinstance(planned, ValueFile):
        # what LimitedCredit would give back changes with use
        there = ValueFile(there.mode, there.rights, there.lower, there.upper, planned.value, there.limited_credit)
    if there.mode != planned.mode:
        return f"travels {there.mode.name}, not {planned.mode.name}"
    if lacks_sets(there, planned):
        return "gives guests other rights: they are put on a card when it is made"
    if there.rights != planned.rights:
        return f"has the rights {bytes(there.rights).hex()}, not {bytes(planned.rights).hex()}"
    return None if there == planned else "has another size or other limits"


def lacks_sets(there: FileSettings, planned: FileSettings) -> bool:
    """Whether only the further sets of rights are not yet as planned."""
    return there != planned and replace(there, rights=replace(there.rights, more=planned.rights.more)) == planned


_NAMES: dict[type, str] = {
    DataFile: "data file",
    ValueFile: "value file",
    CyclicFile: "file of records",
    TransactionMacFile: "Transaction MAC file",
}
