"""Who may look at reports: a customer's or an agency's code, and a one-time password sent to the registered phone.

Bytes and `now` in, wishes out: nothing is sent here, and no clock is read. Passwords and sessions are kept as hashes,
in memory: who was logged in when headquarters ended logs in again. An unknown code is answered like a known one, so
that nobody learns by asking who is a customer.
"""

import hashlib
import hmac
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from sync.hq.sms import Sms

PASSWORD_DIGITS = 8
"""Who asks for passwords of a thousand known codes all year long guesses none of them by chance."""
PASSWORD_MS = 5 * 60_000
TRIES = 3
BETWEEN_MS = 60_000
"""The least between two passwords for one account."""
AN_HOUR = 5
"""The most passwords for one account within an hour: a message costs money, and a phone that rings all night nerves."""
HOUR_MS = 60 * 60_000
IDLE_MS = 30 * 60_000
SESSION_MS = 8 * HOUR_MS
SESSIONS_MAX = 10_000
TOKEN_BYTES = 32


class Account(msgspec.Struct, frozen=True):
    """Somebody who may look at reports: a customer by its code, or an agency, for all `customers` that it looks after.

    `phone`: in its international form; what is sent there is the second half of the key.
    """

    code: str
    phone: str
    programme: str
    customers: tuple[str, ...]
    agency: bool = False


@dataclass(slots=True)
class _Pending:
    """A password on its way to `phone`: it opens once, within its time, and not after too many wrong ones."""

    hash: bytes
    phone: str
    until_ms: int
    tries: int = 0


@dataclass(slots=True)
class _Session:
    """Of who has shown to have `phone`: it ends where another one is registered."""

    code: str
    phone: str
    begun_ms: int
    seen_ms: int


@dataclass(slots=True)
class _Sent:
    """When passwords were sent to an account, the last hour's."""

    at_ms: deque[int] = field(default_factory=deque)


class Access:
    """The door of the portal. `account_of`: by folded code, as it is now; `random_bytes`: a good source of chance."""

    def __init__(
        self, account_of: Callable[[str], Account | None], random_bytes: Callable[[int], bytes], salt: bytes
    ) -> None:
        self._account_of = account_of
        self._random_bytes = random_bytes
        self._salt = salt
        self._pending: dict[str, _Pending] = {}
        self._sent: dict[str, _Sent] = {}
        self._sessions: dict[bytes, _Session] = {}

    def ask(self, code: str, now_ms: int) -> Sms | None:
        """A password is asked for. None: nothing is sent, and whoever asked is not told why."""
        account = self._account_of(fold_code(code))
        if account is None:
            return None
        sent = self._sent.setdefault(fold_code(code), _Sent()).at_ms
        while sent and not 0 <= now_ms - sent[0] < HOUR_MS:  # a clock that was ahead locks nobody out
            sent.popleft()
        if len(sent) >= AN_HOUR or (sent and now_ms - sent[-1] < BETWEEN_MS):
            return None
        sent.append(now_ms)
        password = self._password()
        self._pending[fold_code(code)] = _Pending(self._hash(code, password), account.phone, now_ms + PASSWORD_MS)
        return Sms(account.phone, f"{password} is your password for the report, for {PASSWORD_MS // 60_000} minutes")

    def enter(self, code: str, password: str, now_ms: int) -> str | None:
        """A session's token for the right password, else None. A password opens once."""
        folded = fold_code(code)
        pending = self._pending.get(folded)
        if pending is None or now_ms >= pending.until_ms or pending.tries >= TRIES:
            return None
        pending.tries += 1
        if not hmac.compare_digest(pending.hash, self._hash(code, password.strip())):
            return None
        del self._pending[folded]
        account = self._account_of(folded)
        if account is None or account.phone != pending.phone:
            return None
        token = self._random_bytes(TOKEN_BYTES).hex()
        if len(self._sessions) >= SESSIONS_MAX:
            del self._sessions[min(self._sessions, key=lambda key: self._sessions[key].seen_ms)]
        self._sessions[_token_hash(token)] = _Session(folded, account.phone, now_ms, now_ms)
        return token

    def account(self, token: str, now_ms: int) -> Account | None:
        """Whose session this is; None when there is none, or no more. Looking keeps it open."""
        session = self._sessions.get(_token_hash(token))
        if session is None:
            return None
        account = self._account_of(session.code)
        over = now_ms - session.seen_ms >= IDLE_MS or now_ms - session.begun_ms >= SESSION_MS
        if account is None or account.phone != session.phone or over:
            del self._sessions[_token_hash(token)]
            return None
        session.seen_ms = now_ms
        return account

    def leave(self, token: str) -> None:
        """The session is over."""
        self._sessions.pop(_token_hash(token), None)

    def _password(self) -> str:
        # 2**64 is so far above 10**8 that no digit is likelier than another by more than one in 10**11
        return f"{int.from_bytes(self._random_bytes(8), 'big') % 10**PASSWORD_DIGITS:0{PASSWORD_DIGITS}d}"

    def _hash(self, code: str, password: str) -> bytes:
        return hmac.digest(self._salt, f"{fold_code(code)}\0{password}".encode(), hashlib.sha256)


def fold_code(code: str) -> str:
    """A customer's or an agency's code as it is compared."""
    return code.strip().casefold()


def _token_hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
