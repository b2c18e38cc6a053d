"""A printer's port: bytes to a serial device, or to a network printer's raw port (tcp://192.168.1.50:9100).

The only file of printing that touches a device. Knows no receipt and no ESC/POS. The port is opened for each slip,
so a printer that was switched off or plugged into another hub is found again without a restart. Nothing here blocks
the event loop, and every wait ends by the injected clock.
"""

import asyncio
import os
import termios
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import serial

from controller.domain.seams import US_PER_MS, US_PER_S, Clock
from controller.printing.spool import PrinterError

TCP = "tcp://"
RAW_PORT = 9100
DRAIN_STEP_US = 20 * US_PER_MS
LINGER_US = 2 * US_PER_S
"""How long a network printer may take to close its end. Most do once they have printed; not all ever do."""
READ_BYTES = 4_096

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class PortSettings:
    """`timeout_us` bounds connecting, and again the sending of one slip: a printer without paper holds the line.

    The other settings are a serial line's; receipt printers leave the factory with 8N1.
    """

    baud: int = 19_200
    parity: str = serial.PARITY_NONE
    hardware_flow: bool = True
    timeout_us: int = 10 * US_PER_S


class PortPrinter:
    """A `Printer` at a device path ("/dev/ttyUSB0") or an address ("tcp://host:9100").

    That it took a slip means that the port did: paper that ran out after the last byte is not seen.
    """

    def __init__(self, address: str, clock: Clock, settings: PortSettings | None = None) -> None:
        """ValueError if the address is none."""
        self._address = address
        self._clock = clock
        self._settings = settings or PortSettings()
        self._host, self._port = "", 0
        if address.startswith(TCP):
            parts = urlsplit(address)
            if not parts.hostname:
                raise ValueError(f"{address!r} names no printer: expected tcp://host or tcp://host:{RAW_PORT}")
            self._host, self._port = parts.hostname, parts.port or RAW_PORT

    async def print(self, data: bytes) -> None:
        """Send one slip. PrinterError says what is wrong and what to do."""
        if self._host:
            await self._print_network(data)
        else:
            await self._print_serial(data)

    async def _print_network(self, data: bytes) -> None:
        try:
            reader, writer = await self._within(
                self._settings.timeout_us, asyncio.open_connection(self._host, self._port)
            )
        except TimeoutError as error:
            raise self._unreachable("no answer") from error
        except (OSError, UnicodeError) as error:
            raise self._unreachable(_why(error)) from error
        try:
            # Without a buffer of its own, drain() returns when the system has every byte.
            writer.transport.set_write_buffer_limits(high=0)
            writer.write(data)
            await self._within(self._settings.timeout_us, writer.drain())
            writer.write_eof()
        except TimeoutError as error:
            raise self._stuck(begun=True) from error
        except OSError as error:
            raise self._broken(_why(error)) from error
        else:
            # Closing over unread status bytes would reset the connection and cost the end of the slip. A printer
            # that resets it now has had every byte: to print again would only waste paper.
            with suppress(OSError):
                await self._within(LINGER_US, _read_out(reader))
        finally:
            if writer.transport.get_write_buffer_size():
                writer.transport.abort()
            else:
                writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _print_serial(self, data: bytes) -> None:
        settings = self._settings
        try:
            port = serial.Serial(
                self._address,
                settings.baud,
                parity=settings.parity,
                rtscts=settings.hardware_flow,
                timeout=0,
                exclusive=True,
            )
        except (OSError, ValueError, termios.error) as error:
            raise self._unreachable(_why(error)) from error
        left = data

        async def send() -> None:
            """All bytes out of the system's buffer. pyserial's own write would spin on a line that is held."""
            nonlocal left
            while left:
                await _writable(port.fileno())
                with suppress(BlockingIOError):
                    left = left[os.write(port.fileno(), left) :]
            while port.out_waiting:
                await self._clock.sleep_until(self._clock.now().mono_us + DRAIN_STEP_US)

        try:
            await self._within(settings.timeout_us, send())
        except TimeoutError as error:
            # A printer that is off holds the line from the start: then this slip has not begun.
            raise self._stuck(begun=len(data) - len(left) > _held_back(port)) from error
        except (OSError, termios.error) as error:
            raise self._broken(_why(error)) from error
        finally:
            # What the printer has not taken is thrown away: closing would wait for it, and hold the whole loop.
            with suppress(OSError, termios.error):
                if left or _held_back(port):
                    port.reset_output_buffer()
            port.close()

    async def _within(self, timeout_us: int, work: Coroutine[Any, Any, _T]) -> _T:
        """The work's result; TimeoutError when the clock gets there first."""
        task = asyncio.ensure_future(work)
        late = False

        def expire() -> None:
            nonlocal late
            late = True
            task.cancel()

        timer = self._clock.call_at(self._clock.now().mono_us + timeout_us, expire)
        try:
            return await task
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if late and not (current and current.cancelling()):
                raise TimeoutError from None
            raise
        finally:
            timer.cancel()

    def _unreachable(self, why: str) -> PrinterError:
        return PrinterError(
            f"The receipt printer at {self._address} cannot be reached ({why}): "
            "check that it is switched on, and its cable and address.",
            begun=False,
        )

    def _stuck(self, *, begun: bool) -> PrinterError:
        return PrinterError(
            f"The receipt printer at {self._address} takes no more: check that it is on, has paper, and its "
            "cover is closed.",
            begun=begun,
        )

    def _broken(self, why: str) -> PrinterError:
        return PrinterError(
            f"The receipt printer at {self._address} went away while printing ({why}): check its power and cable.",
            begun=True,
        )


async def _writable(number: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_writer(number, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(number)


def _held_back(port: serial.Serial) -> int:
    """Bytes that the system still keeps for the printer; none if the port is gone."""
    try:
        return port.out_waiting
    except (OSError, termios.error):
        return 0


async def _read_out(reader: asyncio.StreamReader) -> None:
    while await reader.read(READ_BYTES):
        pass


def _why(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
