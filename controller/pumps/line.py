"""A serial port and the loop that runs a line over it: the only file that touches a serial port.

`SerialLinePort` carries turns; `LineRunner` asks the schedule whose turn it is, hands the answers back and
passes events on. Every wait goes through the injected `Clock`. Knows no protocol.
"""

import asyncio
import contextlib
import errno
import logging
import os
import select
import stat
import termios
from collections import Counter
from collections.abc import Callable, Mapping

import serial

from controller.domain.seams import US_PER_S, Clock
from controller.pumps.core import ConnectingPort, LinePort, LineSettings, PacedPort
from controller.pumps.schedule import LineSchedule
from controller.pumps.stream import PortError, StreamPort
from controller.pumps.words import LinkFault, Order, PumpEvent

PTY_MAJORS = range(136, 144)
"""Device numbers of pseudo terminals (Linux, Documentation/admin-guide/devices.txt)."""
READ_BYTES = 4_096
USB_SLACK_US = 20_000
"""USB converters hold bytes back for up to 16 ms: added to every window and silence, which only silent pumps use up."""
REOPEN_US = 3 * US_PER_S
"""A pulled cable is looked for so often."""
FAULTS_TOLD = frozenset(10**digits for digits in range(1, 10))
"""So many faults of a kind are told to a person: a cable that gets worse shows, a single click does not."""
WHAT_TO_DO = {
    errno.ENOENT: "there is no such port: check the cable and the name in the configuration",
    errno.ENODEV: "the device behind it is gone: check the cable",
    errno.ENXIO: "the device behind it is gone: check the cable",
    errno.EACCES: "this user may not open it: add the user to the group of the port (often dialout)",
    errno.EPERM: "this user may not open it: add the user to the group of the port (often dialout)",
    errno.EBUSY: "another program uses it: stop that program, or configure another port",
    errno.EAGAIN: "another program uses it: stop that program, or configure another port",
    errno.EIO: "it stopped working: check the cable and the converter",
    errno.ENOTTY: "it is no serial port: check the name in the configuration",
}

log = logging.getLogger("forecourt.line")


def _port_error(path: str, error: Exception) -> PortError:
    number = getattr(error, "errno", None)
    for cause in (error, error.__context__):  # pyserial hides what termios said behind its own sentence
        if number is None and isinstance(cause, termios.error) and cause.args:
            number = cause.args[0]
    if number is None and "lock" in str(error):
        number = errno.EBUSY
    what = WHAT_TO_DO.get(number or 0, f"{error}: check the cable and the configuration")
    return PortError(number or errno.EIO, f"serial port {path}: {what}")


def is_pty(path: str) -> bool:
    """Whether `path` is a Unix98 pseudo terminal. OSError if there is nothing."""
    status = os.stat(path)
    return stat.S_ISCHR(status.st_mode) and os.major(status.st_rdev) in PTY_MAJORS


class SerialLinePort(StreamPort):
    """A real serial port. Open and use it inside a running event loop."""

    def __init__(
        self, path: str, settings: LineSettings, clock: Clock, *, slack_us: int | None = None, echo: bool = False
    ) -> None:
        """As `StreamPort`. Without `slack_us`, what USB needs, and 0 on a pty. `PortError` if it cannot be opened."""
        self.path = path
        try:
            self.serial = self._open(settings, settings.bits, settings.parity)
            if settings.parity != "N" and not is_pty(path):
                self._check_parity()
        except (OSError, termios.error, ValueError) as error:  # ValueError: the driver refuses this speed
            raise _port_error(path, error) from error
        if slack_us is None:
            slack_us = 0 if is_pty(path) else USB_SLACK_US
        super().__init__(f"serial port {path}", settings, clock, slack_us=slack_us, echo=echo)
        self._fd: int = self.serial.fileno()
        self._loop.add_reader(self._fd, self._readable)
        self._closed = False

    def _open(self, settings: LineSettings, bits: int, parity: str) -> serial.Serial:
        try:
            return serial.Serial(
                self.path,
                settings.baud,
                bytesize=bits,
                parity=parity,
                stopbits=settings.stop,
                timeout=0,
                write_timeout=0,
                exclusive=True,
            )
        except (OSError, termios.error) as error:
            # A pseudo terminal has eight bits and no parity. Linux ignores others among other changes, but refuses them
            # when nothing else is left to change: when the terminal was opened before.
            plain = (serial.EIGHTBITS, serial.PARITY_NONE)
            if (bits, parity) == plain or "Invalid argument" not in str(error) or not is_pty(self.path):
                raise
            return self._open(settings, *plain)

    def _check_parity(self) -> None:
        """Have a byte of wrong parity come as 00, not as what is left of it: one flipped bit makes another status of a
        two-wire word. pyserial sends parity and does not look at it. A pseudo terminal has none."""
        fd = self.serial.fileno()
        attributes = termios.tcgetattr(fd)
        attributes[0] = attributes[0] & ~(termios.IGNPAR | termios.PARMRK) | termios.INPCK
        termios.tcsetattr(fd, termios.TCSANOW, attributes)

    def _readable(self) -> None:
        try:
            data = os.read(self._fd, READ_BYTES)
            if not data and self._hung_up():
                raise OSError(errno.EIO, "hung up")
        except BlockingIOError:
            return
        except OSError as error:
            self._loop.remove_reader(self._fd)
            self._gone(_port_error(self.path, error))
        else:
            if data:  # what was there may have been forgotten since the loop saw it
                self._heard(data)

    def _hung_up(self) -> bool:
        """Nothing to read is what a port reads that is gone, and one whose input was just forgotten (VMIN is 0)."""
        look = select.poll()
        look.register(self._fd, 0)  # a hang-up is told without being asked for
        return bool(look.poll(0))

    def _forget_input(self) -> None:
        try:
            self.serial.reset_input_buffer()
        except (OSError, termios.error) as error:
            raise _port_error(self.path, error) from error

    def put(self, data: bytes) -> bool:
        try:
            # Not by pyserial: without a time limit it tries for ever, and the whole station with it.
            return os.write(self._fd, data) == len(data)
        except BlockingIOError:
            return False
        except OSError as error:
            raise _port_error(self.path, error) from error

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._fd)
        with contextlib.suppress(OSError, termios.error):
            self.serial.close()


class LineRunner:
    """Runs one line for ever: `await run()`, and cancel it to stop."""

    def __init__(
        self,
        schedule: LineSchedule,
        port: LinePort | None,
        clock: Clock,
        on_event: Callable[[int, PumpEvent], None],
        open_port: Callable[[], LinePort],
        *,
        on_port: Callable[[str | None], None] | None = None,
    ) -> None:
        """`port`: an open one, or None to open it by `open_port`, which raises OSError with a sentence.

        `on_event(point, event)` gets all that happens. `on_port(text)` hears that the port is gone, and why, once as
        long as that is the reason; None says that it is back, and carries turns.
        """
        self._schedule = schedule
        self._port = port
        self._clock = clock
        self._on_event = on_event
        self._open_port = open_port
        self._on_port = on_port
        self._trouble: str | None = None
        """Why the port is gone, as it was told."""
        self._down_waiter: asyncio.Future[None] | None = None
        self._faults: Counter[tuple[int, str]] = Counter()

    @property
    def faults(self) -> Mapping[tuple[int, str], int]:
        """How often what came that could not be used, by point and kind (`LinkFault.kind`), since this began."""
        return self._faults

    def submit(self, point: int, order: Order) -> None:
        """Give a pump an order; what becomes of it is an event."""
        self._schedule.submit(point, order, self._now())
        self._wake()

    def stop_all(self) -> None:
        """Stop every pump of the line, before everything else; each answers for itself, by an event."""
        self._schedule.stop_all(self._now())
        self._wake()

    def _wake(self) -> None:
        if self._port is not None:
            self._port.wake()
        if self._down_waiter is not None and not self._down_waiter.done():
            self._down_waiter.set_result(None)

    def _now(self) -> int:
        return self._clock.now().mono_us

    async def run(self) -> None:
        """Until cancelled; the port is closed then."""
        try:
            while True:
                if self._port is None:
                    await self._reopen()
                assert self._port is not None, "just opened"
                try:
                    await self._turns(self._port)
                except OSError as error:
                    self._port_gone(str(error.strerror or error))
                    await self._wait_down(self._now() + REOPEN_US)
        finally:
            if self._port is not None:
                self._port.close()
                self._port = None

    async def _turns(self, port: LinePort) -> None:
        paced = port if isinstance(port, PacedPort) else None
        while True:
            if paced is not None:
                await paced.silence(self._schedule.silence_us(self._now()))
            elif await self._rested(port):
                continue
            _, turn = self._schedule.next(self._now())
            answer = await port.transact(turn)
            if self._trouble is not None:
                self._port_back()
            self._schedule.answered(answer, self._now())
            self._pass_on()

    async def _rested(self, port: LinePort) -> int:
        """Leave out quiet turns, as many as the port says."""
        cycle = self._schedule.quiet_cycle(self._now())
        if cycle is None:
            return 0
        until_us = self._schedule.quiet_until_us
        timer = None if until_us is None else self._clock.call_at(until_us, port.wake)
        try:
            skipped = await port.rest(cycle)
        finally:
            if timer is not None:
                timer.cancel()
        if skipped:
            self._schedule.skipped(skipped)
        return skipped

    def _pass_on(self) -> None:
        for point, event in self._schedule.events():
            if isinstance(event, LinkFault):
                self._count(point, event.kind)
            self._on_event(point, event)

    def _count(self, point: int, kind: str) -> None:
        self._faults[point, kind] += 1
        count = self._faults[point, kind]
        if count in FAULTS_TOLD:
            log.warning(
                "point %d: %s came %d times: check cable, converter and the line's settings", point, kind, count
            )

    def _port_gone(self, text: str) -> None:
        if self._port is not None:
            self._port.close()
            self._port = None
        if self._on_port is not None and self._trouble != text:
            self._on_port(text)
        self._trouble = text
        self._schedule.port_lost(self._now())
        self._pass_on()

    def _port_back(self) -> None:
        """Not as soon as it is open: a serial server whose port is taken takes each connection, and ends it."""
        self._trouble = None
        if self._on_port is not None:
            self._on_port(None)

    async def _reopen(self) -> None:
        """Try until the port is there; orders are refused meanwhile."""
        while True:
            try:
                port = self._open_port()
                if isinstance(port, ConnectingPort):
                    await self._connect(port)
                self._port = port
            except OSError as error:
                self._port_gone(str(error.strerror or error))
                await self._wait_down(self._now() + REOPEN_US)
                continue
            return

    async def _connect(self, port: ConnectingPort) -> None:
        """OSError with a sentence if nobody is there."""
        connecting = asyncio.ensure_future(port.connect())
        try:
            await self._wait_for(connecting)
            connecting.result()
        finally:
            connecting.cancel()

    async def _wait_down(self, until_us: int) -> None:
        """Wait to try again."""
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        timer = self._clock.call_at(until_us, lambda: None if over.done() else over.set_result(None))
        try:
            await self._wait_for(over)
        finally:
            timer.cancel()

    async def _wait_for(self, over: "asyncio.Future[None]") -> None:
        """Until it is over; orders that come meanwhile are answered."""
        while not over.done():
            waiter = self._down_waiter = asyncio.get_running_loop().create_future()
            try:
                await asyncio.wait({over, waiter}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._down_waiter = None
                waiter.cancel()
            self._schedule.take_orders(self._now() + 1)  # nothing is sent now: no turn to wait for
            self._pass_on()
