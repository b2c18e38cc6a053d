"""What a commit will do: changes that wait, and the Transaction MAC over them.

Nothing here is kept without power: a transaction that is not committed never was. The Transaction MAC follows the
public data sheet of MIFARE DESFire Light; its session keys give the published vector, its final value has no public
vector and is not verified on silicon.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from card_io.desfire.crypto import BLOCK, AesKey, short_mac
from sim.cards.state import Application, BackupFile, MacFile, RecordFile, ValueFile
from sim.cards.status import DENIED, Refused

COUNTER_MAX = 0xFFFFFFFF


@dataclass
class PendingValue:
    """A value file's next value, what was debited in this transaction, and whether the limited credit was used."""

    value: int
    debited: int = 0
    limited_credit_used: bool = False


@dataclass
class PendingRecords:
    """A record file's next record, or that it will be emptied."""

    record: bytearray | None = None
    cleared: bool = False


@dataclass
class Transaction:
    """By file number what the commit will write; the Transaction MAC's input; the reader that named itself."""

    backups: dict[int, bytearray] = field(default_factory=dict)
    values: dict[int, PendingValue] = field(default_factory=dict)
    records: dict[int, PendingRecords] = field(default_factory=dict)
    mac_input: bytes = b""
    reader_id: bytes | None = None

    @property
    def empty(self) -> bool:
        return not (self.backups or self.values or self.records or self.mac_input)

    def note(self, application: Application, head: bytes, data: bytes = b"") -> None:
        """Adds a command on a file, in plain, to the Transaction MAC's input; `head` and `data` fill whole blocks."""
        mac_file = application.mac_file
        if mac_file is None:
            return
        if mac_file.counter >= COUNTER_MAX:
            raise Refused(DENIED)
        self.mac_input += _filled(head) + _filled(data)

    def drop_file(self, number: int) -> None:
        """The file is no more."""
        for pending in (self.backups, self.values, self.records):
            pending.pop(number, None)

    def apply(self, application: Application, uid: bytes) -> MacFile | None:
        """All of it at once, in memory; the caller keeps it. The Transaction MAC file, if it was renewed."""
        for number, data in self.backups.items():
            file = application.files[number]
            assert isinstance(file, BackupFile)
            file.data = bytes(data)
        for number, pending in self.values.items():
            file = application.files[number]
            assert isinstance(file, ValueFile)
            file.value = pending.value
            if pending.debited or pending.limited_credit_used:
                file.limited_credit = pending.debited
        for number, pending_records in self.records.items():
            file = application.files[number]
            assert isinstance(file, RecordFile)
            _apply_records(file, pending_records)
        mac_file = application.mac_file
        if mac_file is None or not self.mac_input:
            return None
        mac_file.value = short_mac(mac_key(mac_file, uid), self.mac_input)
        mac_file.counter += 1
        if self.reader_id is not None:
            mac_file.reader_id = self.reader_id
        return mac_file


def _apply_records(file: RecordFile, pending: PendingRecords) -> None:
    if pending.cleared:
        file.records = []
    elif pending.record is not None:
        records = [*file.records, bytes(pending.record)]
        file.records = records[-file.room :]


def mac_key(file: MacFile, uid: bytes) -> AesKey:
    """The key of the next Transaction MAC: from the card's key, its UID and the counter's next value."""
    return _session_key(0x5A, file, uid)


def reader_key(file: MacFile, uid: bytes) -> AesKey:
    """The key under which the latest reader's id is shown to the next reader."""
    return _session_key(0xA5, file, uid)


def _session_key(label: int, file: MacFile, uid: bytes) -> AesKey:
    vector = bytes((label, 0x00, 0x01, 0x00, 0x80)) + (file.counter + 1).to_bytes(4, "little") + uid
    return AesKey(AesKey(file.key).cmac(vector))


def _filled(data: bytes) -> bytes:
    return data.ljust(-(-len(data) // BLOCK) * BLOCK, b"\0")
