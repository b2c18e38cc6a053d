"""One-time passwords, PINs and voided redemptions of one programme on disk, within one transaction.

Of codes and PINs there is only what they are checked by. Knows no rule.
"""

import msgspec
import sqlalchemy as sa

from sync.hq.programmes.codes import Code
from sync.hq.programmes.tables import codes, verifiers, voided

_encoder = msgspec.msgpack.Encoder()
_codes = msgspec.msgpack.Decoder(Code)


class SecretsKept:
    """One programme's part of the tables."""

    def __init__(self, db: sa.Connection, programme: str) -> None:
        self._db = db
        self._programme = programme

    def code(self, holder: str) -> Code | None:
        """The holder's last one-time password."""
        query = sa.select(codes.c.code).where(codes.c.programme == self._programme, codes.c.holder == holder)
        found = self._db.execute(query).scalar()
        return None if found is None else _codes.decode(bytes(found))

    def keep_code(self, holder: str, code: Code | None) -> None:
        """In the place of the one before; None where nothing is left of it."""
        self._db.execute(sa.delete(codes).where(codes.c.programme == self._programme, codes.c.holder == holder))
        if code is not None:
            self._db.execute(
                sa.insert(codes).values(programme=self._programme, holder=holder, code=_encoder.encode(code))
            )

    def verifier(self, name: str) -> str:
        """What a PIN is checked by; empty where none was set."""
        query = sa.select(verifiers.c.verifier).where(
            verifiers.c.programme == self._programme, verifiers.c.name == name
        )
        return self._db.execute(query).scalar() or ""

    def keep_verifier(self, name: str, verifier: str) -> None:
        where = (verifiers.c.programme == self._programme, verifiers.c.name == name)
        version = self._db.execute(sa.select(verifiers.c.version).where(*where)).scalar() or 0
        self._db.execute(sa.delete(verifiers).where(*where))
        new = {"name": name, "verifier": verifier, "version": version + 1}
        self._db.execute(sa.insert(verifiers).values(programme=self._programme, **new))

    def versioned(self, name: str) -> tuple[str, int]:
        """The verifier, and which one of this name it is; ("", 0) where none was set."""
        where = (verifiers.c.programme == self._programme, verifiers.c.name == name)
        found = self._db.execute(sa.select(verifiers.c.verifier, verifiers.c.version).where(*where)).one_or_none()
        return ("", 0) if found is None else (found.verifier, found.version)

    def is_voided(self, ref: str) -> bool:
        query = sa.select(voided.c.ref).where(voided.c.programme == self._programme, voided.c.ref == ref)
        return self._db.execute(query).first() is not None

    def void(self, ref: str, now_ms: int) -> None:
        """It is refused when it comes."""
        if not self.is_voided(ref):
            self._db.execute(sa.insert(voided).values(programme=self._programme, ref=ref, at_ms=now_ms))
