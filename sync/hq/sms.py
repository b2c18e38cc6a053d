"""Messages to phones. Whoever carries them is outside: it answers late, twice or never, and is not waited for.

`Spool` puts each message into a folder, whole, from where a provider's own program takes it: one JSON object a file,
named by its time, removed by whoever has sent it. What lies there is for its owner only: it holds one-time passwords.
"""

import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec

SPOOLED_MAX = 10_000
"""More waiting than this, and nobody fetches them: a message that is hours old helps nobody."""


class Sms(msgspec.Struct, frozen=True):
    """A message that is to be sent to a phone, in its international form."""

    phone: str
    text: str


class SmsUnsent(Exception):
    """The message could not be handed over; the text says why and what to do."""


class SmsGateway(Protocol):
    """Takes messages, and promises nothing about when they arrive."""

    def send(self, message: Sms) -> None:
        """Raises SmsUnsent if it was not taken."""
        ...


class Spool:
    """A folder of messages that wait for a provider's program. `wall_ms`: the time, for their names."""

    _numbers = itertools.count(1)
    """Of all spools of this process: two may write in the same millisecond."""

    def __init__(self, folder: Path, wall_ms: Callable[[], int]) -> None:
        self._folder = folder
        self._wall_ms = wall_ms

    def send(self, message: Sms) -> None:
        """A new file `TIME-NUMBER.json` in the folder, which is made if need be."""
        at_ms = self._wall_ms()
        path = self._folder / f"{at_ms}-{next(self._numbers):06d}.json"
        whole = msgspec.json.encode({"at_ms": at_ms, "phone": message.phone, "text": message.text})
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if sum(1 for _ in self._folder.glob("*.json")) >= SPOOLED_MAX:
                raise SmsUnsent(f"{self._folder} has {SPOOLED_MAX} messages that nobody fetches: look at the provider")
            new = path.with_suffix(".new")
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(whole + b"\n")
            new.replace(path)
        except OSError as error:
            raise SmsUnsent(f"{path} cannot be written ({error.strerror}): make room and repeat") from error
