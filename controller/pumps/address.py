"""Where a line's port is: a serial device by its path, or a serial server in the network by a URL.

`rfc2217://HOST:PORT` is a port whose speed is set over the network, `socket://HOST:PORT` one that carries bytes only:
the same words as other programs for serial ports use. Knows no port, no file and no network.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

LAST_PORT = 65_535
EXPECTED = "expected rfc2217://HOST:PORT or socket://HOST:PORT"
_MEANT = re.compile(r"(?:rfc2217|socket):.*|[^/]*:\d+", re.IGNORECASE | re.DOTALL)
"""What no device is called: somebody meant a server."""


class BadAddress(ValueError):
    """A URL that is no port's; the text says what was expected."""


@dataclass(frozen=True, slots=True)
class NetAddress:
    """A serial server's port."""

    scheme: Literal["rfc2217", "socket"]
    host: str
    port: int

    @property
    def here(self) -> bool:
        """It is on this machine."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def net_address(text: str) -> NetAddress | None:
    """The address in a line's `port`; None if it is the path of a device. `BadAddress` if it is a URL that cannot
    be used."""
    if "://" not in text:
        if _MEANT.fullmatch(text):
            raise BadAddress(f"{text!r}: {EXPECTED}, or the path of a device")
        return None
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        bare = "[" not in text and text.count(":") > 2
        why = "an IPv6 address stands in brackets, as socket://[::1]:4001" if bare else error
        raise BadAddress(f"{text!r}: {EXPECTED} ({why})") from error
    if parts.scheme not in ("rfc2217", "socket"):
        raise BadAddress(f"{text!r}: {EXPECTED}, or the path of a device")
    if not host or not port:
        raise BadAddress(f"{text!r}: {EXPECTED}, with the port's number, 1 to {LAST_PORT}")
    if parts.path not in ("", "/") or parts.query or parts.fragment or parts.username is not None:
        raise BadAddress(f"{text!r}: {EXPECTED}, and nothing besides: the line's settings have keys of their own")
    if not _can_be(host):
        raise BadAddress(f"{text!r}: {EXPECTED}, and {host!r} is no address and no name of a machine")
    return NetAddress("rfc2217" if parts.scheme == "rfc2217" else "socket", host, port)


def _can_be(host: str) -> bool:
    """An address, or what may be a name: a name that nobody could know is better told before it is looked up."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return True
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    last = host.rstrip(".").rpartition(".")[2]
    return host.isprintable() and " " not in host and not last.isdecimal()
