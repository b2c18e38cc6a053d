"""Who is registered for the portal, on disk. One transaction a step; the caller brings it."""

from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Boolean, Column, MetaData, String, Table, Text

from controller.domain.tokens import fold_phone
from sync.hq.portal.access import Account, fold_code

CODE_LETTERS_MAX = 64
metadata = MetaData()

accounts = Table(
    "portal_accounts",
    metadata,
    Column("folded", String(64), primary_key=True),
    Column("code", Text, nullable=False),
    Column("phone", Text, nullable=False),
    Column("programme", Text, nullable=False),
    Column("customers", Text, nullable=False),
    Column("agency", Boolean, nullable=False),
    sqlite_with_rowid=False,
)
"""`customers`: a JSON list of the ids whose sales this account may see."""


class AccountError(ValueError):
    """It cannot be registered so; the text says what was expected."""


def checked(code: str, phone: str, programme: str, customers: tuple[str, ...], *, agency: bool) -> Account:
    """An account from what somebody typed. AccountError."""
    code = code.strip()
    if not code or len(code) > CODE_LETTERS_MAX:
        raise AccountError(f"a code has 1 to {CODE_LETTERS_MAX} letters")
    if not customers:
        raise AccountError("name at least one customer whose sales it may see")
    if len(customers) > 1 and not agency:
        raise AccountError("a customer sees its own sales only: register several customers for an agency")
    try:
        return Account(code, fold_phone(phone), programme, customers, agency)
    except ValueError as error:
        raise AccountError(str(error)) from error


class Accounts:
    """The table, within one transaction."""

    def __init__(self, db: sa.Connection) -> None:
        self._db = db

    @staticmethod
    def make_tables(db: sa.Connection) -> None:
        """Those that are not there yet."""
        metadata.create_all(db)

    def put(self, account: Account) -> None:
        """Register, or change what is registered under this code."""
        self.remove(account.code)
        values = {
            "folded": fold_code(account.code),
            "code": account.code,
            "phone": account.phone,
            "programme": account.programme,
            "customers": msgspec.json.encode(account.customers).decode(),
            "agency": account.agency,
        }
        self._db.execute(sa.insert(accounts).values(values))

    def remove(self, code: str) -> bool:
        """Whether there was one."""
        gone = self._db.execute(sa.delete(accounts).where(accounts.c.folded == fold_code(code)))
        return gone.rowcount > 0

    def all(self) -> dict[str, Account]:
        """By folded code."""
        found = self._db.execute(sa.select(accounts).order_by(accounts.c.folded)).all()
        return {row.folded: _account(row) for row in found}

    def get(self, folded: str) -> Account | None:
        """The one that is registered under this folded code."""
        row = self._db.execute(sa.select(accounts).where(accounts.c.folded == folded)).one_or_none()
        return None if row is None else _account(row)


def _account(row: sa.Row[Any]) -> Account:
    customers = msgspec.json.decode(row.customers, type=tuple[str, ...])
    return Account(row.code, row.phone, row.programme, customers, bool(row.agency))
