"""A line's port behind a serial server: the only file of the pumps that touches the network.

With `rfc2217://` the line's settings are set over the connection, and the port is used only when the server has said
them back. With `socket://` they are the server's own, and only what bytes take on the wire is reckoned by them.
Nothing here waits but on the event loop. Knows no protocol of pumps.
"""

import asyncio
import errno
import os
import re
import socket

from controller.domain.seams import US_PER_MS, US_PER_S, Clock
from controller.pumps.address import NetAddress
from controller.pumps.core import LineSettings
from controller.pumps.stream import PortError, StreamPort
from controller.pumps.telnet import Rfc2217Client

NETWORK_SLACK_US = 200 * US_PER_MS
"""A packet that was lost is sent again after so long. Only silent pumps use it up."""
CONNECT_US_MAX = 5 * US_PER_S
"""For a connection and the settings: a server that needs longer is not there."""
UNHEARD_MS_MAX = 10_000
"""A server that lost its power says nothing: after so long without a sign of it the connection is over."""
KEPT_ALIVE = {socket.TCP_KEEPIDLE: 5, socket.TCP_KEEPINTVL: 2, socket.TCP_KEEPCNT: 3}
"""So a line that is only listened to notices as well. In seconds, and a count."""
WAITING_BYTES_MAX = 1_024
"""More bytes than any turn has, and the network takes none of them."""
WHAT_TO_DO = {
    errno.ECONNREFUSED: "nothing listens there: check the number of the port and that the serial server is set to it",
    errno.EHOSTUNREACH: "there is no way to it: check the network's cable and the address",
    errno.ENETUNREACH: "there is no way to it: check this machine's network",
    errno.ETIMEDOUT: "it does not answer: check the serial server's power, the network's cable and the address",
    errno.ECONNRESET: "the connection ended: the serial server restarted, or another program has taken this port",
    errno.EPIPE: "the connection ended: the serial server restarted, or another program has taken this port",
}
_ERRNO = re.compile(r"Errno (\d+)")


def _port_error(where: NetAddress, error: OSError) -> PortError:
    number = error.errno
    if number is None:  # a name with several addresses: asyncio puts what became of each into one text
        found = _ERRNO.search(str(error))
        number = int(found.group(1)) if found else errno.EIO
    if isinstance(error, socket.gaierror):
        what = f"the name is not known ({error.strerror}): check it, or write the address in digits"
    else:
        what = WHAT_TO_DO.get(number, f"{error.strerror or error}: check the network and the serial server")
    return PortError(number, f"port {where}: {what}")


class NetLinePort(StreamPort, asyncio.Protocol):
    """A port in the network; implements `ConnectingPort`. Make it, and `connect` it before the first turn."""

    def __init__(
        self,
        where: NetAddress,
        settings: LineSettings,
        clock: Clock,
        *,
        slack_us: int | None = None,
        echo: bool = False,
    ) -> None:
        """As `StreamPort`. Without `slack_us`, what networks need."""
        slack_us = NETWORK_SLACK_US if slack_us is None else slack_us
        super().__init__(f"port {where}", settings, clock, slack_us=slack_us, echo=echo)
        self.where = where
        self._telnet = Rfc2217Client(settings) if where.scheme == "rfc2217" else None
        self._transport: asyncio.Transport | None = None
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._closed = False

    async def connect(self) -> None:
        """Return when it carries bytes, with the line's settings. `PortError` if it does not; it is closed then."""
        timer = self._clock.call_at(self._now() + CONNECT_US_MAX, self._late)
        dialling = asyncio.ensure_future(self._dial())
        try:
            await self._ready
            await dialling  # which ends as soon as it has looked at what it has made
        except BaseException:
            dialling.cancel()
            self.close()
            raise
        finally:
            timer.cancel()

    async def _dial(self) -> None:
        try:
            await self._loop.create_connection(lambda: self, self.where.host, self.where.port)
        except OSError as error:
            self._gone(_port_error(self.where, error))

    def _late(self) -> None:
        if self._transport is None:
            self._gone(_port_error(self.where, OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))))
        elif self._telnet is not None and not self._telnet.telnet:
            self._refuse("it says nothing of telnet: set it to RFC 2217, or write socket:// for a raw port")
        else:
            self._refuse("it does not say that it has set the line: see whether it is set to RFC 2217")

    def _refuse(self, why: str) -> None:
        self._gone(PortError(errno.EPROTO, f"{self.name}: {why}"))

    def _gone(self, error: PortError) -> None:
        if self._error is None:
            super()._gone(error)
        if not self._ready.done():
            self._ready.set_exception(error)

    # --- the connection -------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport), "of a stream"
        if self._closed:
            transport.abort()
            return
        self._transport = transport
        link = transport.get_extra_info("socket")
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNHEARD_MS_MAX)
        for option, value in KEPT_ALIVE.items():
            link.setsockopt(socket.IPPROTO_TCP, option, value)
        if self._telnet is not None:
            transport.write(self._telnet.greeting())
        else:
            self._ready.set_result(None)

    def data_received(self, data: bytes) -> None:
        if self._telnet is not None:
            data, reply = self._telnet.receive(data)
            if reply and self._transport is not None:
                self._transport.write(reply)
            if self._telnet.refused:
                self._refuse(self._telnet.refused)
                self.close()
            elif self._telnet.ready and not self._ready.done():
                self._ready.set_result(None)
        if data and self._ready.done():
            self._heard(data)

    def connection_lost(self, exc: Exception | None) -> None:
        lost = exc if isinstance(exc, OSError) else ConnectionResetError(errno.ECONNRESET, "closed")
        self._gone(_port_error(self.where, lost))

    # --- what a stream needs --------------------------------------------------------------------------------

    def _forget_input(self) -> None:
        """What came is heard at once: nothing waits anywhere."""

    def put(self, data: bytes) -> bool:
        if self._transport is None or self._transport.get_write_buffer_size() > WAITING_BYTES_MAX:
            return False
        self._transport.write(data if self._telnet is None else self._telnet.wrap(data))
        return True

    def close(self) -> None:
        self._closed = True
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
