"""Seals: what a row shows of a person is kept under a key of that person's own, which can be destroyed.

A token's masked text goes to disk sealed by AES-GCM; its keyed hash stays as it is, to match by. The chain runs over
the sealed bytes, so destroying a key breaks nothing: what it sealed reads `ERASED` from then on. The keys are rows of
the journal's own file, so that a row and its key are on disk by one commit.

A key stands in one place of the file only: keys are appended in the order of their numbers, so that SQLite has no
reason to move one, what it leaves behind it clears (secure_delete), and a destroyed key is overwritten where it stands,
by as many bytes. Its number is not given again.

Knows a token, and no other word of the records.
"""

from functools import cache

import apsw
import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from controller.domain.records import EPOCH_BYTES, Body, DamagedRow, Record, RowName
from controller.domain.seams import Randomness
from controller.domain.tokens import TokenRef

ERASED = "erased"
"""Shown for what was sealed under a key that is destroyed."""
KEY_BYTES = 32
_NUMBER_BYTES = 4
_TAG_BYTES = 16
_SEQ_BYTES = 4
_SEQ_MASK = 2 ** (8 * _SEQ_BYTES) - 1

SCHEMA = """
CREATE TABLE subject_keys (
    number    INTEGER PRIMARY KEY,
    subject   BLOB NOT NULL,
    key       BLOB NOT NULL,
    destroyed INTEGER NOT NULL
) STRICT;
CREATE INDEX subject_keys_by_subject ON subject_keys (subject);
"""
"""`subject` is a token's keyed hash. A destroyed key is all zeros."""


class Seals:
    """The keys of one journal. New ones are written by `write_new()`, within the transaction of the rows they seal."""

    def __init__(self, db: apsw.Connection, randomness: Randomness | None) -> None:
        self._db = db
        self._randomness = randomness
        self._by_subject: dict[bytes, tuple[int, AESGCM]] = {}
        self._by_number: dict[int, AESGCM | None] = {}
        self._new: list[tuple[int, bytes, bytes]] = []

    def seal(self, name: RowName, record: Record) -> Record:
        """The record as it goes to disk."""
        if _has_token(type(record)):
            token: TokenRef | None = record.token  # type: ignore[union-attr]  # `_has_token` says so
            if token is not None:
                sealed = msgspec.structs.replace(token, shown="", sealed=self._seal(name, token))
                return msgspec.structs.replace(record, token=sealed)
        return record

    def open(self, body: Body) -> Body:
        """The row as it is read. DamagedRow if its seal does not fit its key."""
        record = body.record
        if _has_token(type(record)):
            token: TokenRef | None = record.token  # type: ignore[union-attr]  # `_has_token` says so
            if token is not None and token.sealed:
                opened = TokenRef(token.kind, token.key, self._open(body.name, token), token.assurance)
                return Body(body.name, body.stamp, msgspec.structs.replace(record, token=opened))
        return body

    def write_new(self) -> None:
        """Write the keys that are not on disk yet. apsw.Error as the disk gives it."""
        if self._new:
            self._db.executemany("INSERT INTO subject_keys VALUES (?, ?, ?, 0)", self._new)

    def written(self) -> None:
        """What was written is on disk."""
        self._new.clear()

    def forgotten(self) -> None:
        """What was written was rolled back: those keys never were."""
        for number, subject, _ in self._new:
            del self._by_subject[subject], self._by_number[number]
        self._new.clear()

    def destroy(self, subject: bytes) -> bool:
        """Overwrite the key of `subject`. False if there is none. apsw.Error as the disk gives it."""
        self._by_subject.clear()
        self._by_number.clear()
        self._db.execute(
            "UPDATE subject_keys SET key = zeroblob(length(key)), destroyed = 1 WHERE subject = ? AND NOT destroyed",
            (subject,),
        )
        destroyed = self._db.changes() > 0
        # Pages of before stand in the log until it is written back; then it is cut to nothing.
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return destroyed

    def _seal(self, name: RowName, token: TokenRef) -> bytes:
        number, cipher = self._by_subject.get(token.key) or self._find(token.key) or self._make(token.key)
        return number.to_bytes(_NUMBER_BYTES, "big") + cipher.encrypt(_nonce(name), token.shown.encode(), token.key)

    def _open(self, name: RowName, token: TokenRef) -> str:
        sealed = token.sealed
        if len(sealed) < _NUMBER_BYTES + _TAG_BYTES:
            raise DamagedRow(f"row {name.text}: its seal is {len(sealed)} bytes, too few")
        cipher = self._numbered(int.from_bytes(sealed[:_NUMBER_BYTES], "big"))
        if cipher is None:
            return ERASED
        try:
            return cipher.decrypt(_nonce(name), sealed[_NUMBER_BYTES:], token.key).decode()
        except (InvalidTag, UnicodeDecodeError) as error:
            raise DamagedRow(f"row {name.text}: its seal does not fit its key") from error

    def _numbered(self, number: int) -> AESGCM | None:
        """The key of this number; None if it is destroyed."""
        try:
            return self._by_number[number]
        except KeyError:
            statement = "SELECT key FROM subject_keys WHERE number = ? AND NOT destroyed"
            secret = self._db.execute(statement, (number,)).get
            cipher = self._by_number[number] = None if secret is None else AESGCM(secret)
            return cipher

    def _find(self, subject: bytes) -> tuple[int, AESGCM] | None:
        statement = "SELECT number, key FROM subject_keys WHERE subject = ? AND NOT destroyed"
        found = self._db.execute(statement, (subject,)).fetchone()
        if found is None:
            return None
        return self._known(found[0], subject, found[1])

    def _make(self, subject: bytes) -> tuple[int, AESGCM]:
        if self._randomness is None:
            raise RuntimeError("a journal that is written to is opened with randomness: it seals what it writes")
        last = self._new[-1][0] if self._new else self._db.execute("SELECT max(number) FROM subject_keys").get or 0
        secret = self._randomness.random_bytes(KEY_BYTES)
        self._new.append((last + 1, subject, secret))
        return self._known(last + 1, subject, secret)

    def _known(self, number: int, subject: bytes, secret: bytes) -> tuple[int, AESGCM]:
        cipher = self._by_number[number] = AESGCM(secret)
        known = self._by_subject[subject] = number, cipher
        return known


@cache
def _has_token(kind: type[Record]) -> bool:
    return "token" in kind.__struct_fields__


def _nonce(name: RowName) -> bytes:
    """Never used twice under one key: a row's name is its own for ever, and holds one token.

    A commit that the disk refused leaves its names to the next try. Under the same key that seals the same text again:
    what is shown of a token follows from the token.
    """
    number: int = name.seq & _SEQ_MASK
    return name.epoch[:EPOCH_BYTES].ljust(EPOCH_BYTES, b"\0") + number.to_bytes(_SEQ_BYTES, "big")
