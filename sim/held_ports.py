"""TCP ports of this machine that stay free for the programs that are told to listen there.

A port that is only found free and let go can be taken before its program comes: by another listener, or by any
connection that goes out. Bound and never listening, it is given to nobody who does not ask for it by its number, and
a server that sets SO_REUSEADDR (ours do, and so does vpcd) may listen on it, again after each restart (Linux).
Knows no program.
"""

import contextlib
import errno
import socket

HOST = "127.0.0.1"
TRIES = 1000


class HeldPorts:
    """Ports of 127.0.0.1, held until `close()`."""

    def __init__(self) -> None:
        self._held = contextlib.ExitStack()

    def one(self) -> int:
        """A port. OSError when there is none."""
        return self._bind(0)

    def neighbours(self, count: int) -> int:
        """The first of so many ports in a row. OSError when there is no such row."""
        for _ in range(TRIES):
            first = self.one()
            try:
                for port in range(first + 1, first + count):
                    self._bind(port)
            except (OSError, OverflowError):
                continue
            return first
        raise OSError(errno.EADDRINUSE, f"no {count} neighbouring TCP ports of {HOST} are free")

    def close(self) -> None:
        """From now on anybody may have them."""
        self._held.close()

    def _bind(self, port: int) -> int:
        bound = self._held.enter_context(socket.socket())
        bound.bind((HOST, port))  # alone: with the option set already, two could hold one port
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        number: int = bound.getsockname()[1]
        return number
