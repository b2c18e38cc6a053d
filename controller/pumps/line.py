"""A serial port and the loop that runs a line over it: the only file that touches a serial port.

`SerialLinePort` carries turns; `LineRunner` asks the schedule whose turn it is, hands the answers back and
passes events on. Every wait goes through the injected `Clock`. Knows no protocol.
"""

import asyncio
import contextlib
import errno
import logging
import os
import stat
import termios
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import serial

from controller.domain.seams import US_PER_S, Clock, Timer
from controller.pumps.core import LinePort, LineSettings, PacedPort, Turn
from controller.pumps.echo import Echo
from controller.pumps.schedule import LineSchedule
from controller.pumps.words import LinkFault, Order, PumpEvent

PTY_MAJORS = range(136, 144)
"""Device numbers of pseudo terminals (Linux, Documentation/admin-guide/devices.txt)."""
READ_BYTES = 4_096
USB_SLACK_US = 20_000
"""USB converters hold bytes back for up to 16 ms: added to every window and silence, which only silent pumps use up."""
ANSWER_BYTES_MAX = 1_024
"""Far above any protocol's answer: a converter that never falls silent must not hold the line."""
SILENCE_TRIES_MAX = 3
"""Likewise: after so many disturbed silences we speak all the same, and the pumps fall silent by their own rules."""
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


class PortError(OSError):
    """The port cannot be used. The text says what happened, at which port, and what to do."""

    def __str__(self) -> str:
        return str(self.strerror)


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


class SerialLinePort:
    """A real serial port; implements `LinePort` and `PacedPort`. Open and use it inside a running event loop."""

    def __init__(
        self, path: str, settings: LineSettings, clock: Clock, *, slack_us: int | None = None, echo: bool = False
    ) -> None:
        """`slack_us`: how long the converter may hold bytes back; without it, what USB needs, and 0 on a pty.

        `echo`: what is sent is heard again, and is taken out of what the pumps say.
        """
        self.path = path
        self.settings = settings
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._echo = Echo() if echo else None
        self._error: PortError | None = None
        self._turn: Turn | None = None
        self._ended: asyncio.Future[None] | None = None
        self._timer: Timer | None = None
        try:
            self.serial = self._open(settings.bits, settings.parity)
            if settings.parity != "N" and not is_pty(path):
                self._check_parity()
        except (OSError, termios.error, ValueError) as error:  # ValueError: the driver refuses this speed
            raise _port_error(path, error) from error
        if slack_us is None:
            slack_us = 0 if is_pty(path) else USB_SLACK_US
        self._slack_us = slack_us
        self._fd: int = self.serial.fileno()
        self._loop.add_reader(self._fd, self._readable)
        self._quiet_since_us = self._now()
        self._closed = False

    def _open(self, bits: int, parity: str) -> serial.Serial:
        settings = self.settings
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
            return self._open(*plain)

    def _check_parity(self) -> None:
        """Have a byte of wrong parity come as 00, not as what is left of it: one flipped bit makes another status of a
        two-wire word. pyserial sends parity and does not look at it. A pseudo terminal has none."""
        fd = self.serial.fileno()
        attributes = termios.tcgetattr(fd)
        attributes[0] = attributes[0] & ~(termios.IGNPAR | termios.PARMRK) | termios.INPCK
        termios.tcsetattr(fd, termios.TCSANOW, attributes)

    def _now(self) -> int:
        return self._clock.now().mono_us

    def _readable(self) -> None:
        try:
            data = os.read(self._fd, READ_BYTES)
            if not data:
                raise OSError(errno.EIO, "hung up")
        except BlockingIOError:
            return
        except OSError as error:
            self._error = _port_error(self.path, error)
            self._loop.remove_reader(self._fd)
            self._end()
        else:
            self._heard(data)

    def _heard(self, data: bytes) -> None:
        self._quiet_since_us = self._now()
        turn = self._turn
        if self._echo is not None:
            data = self._echo.heard(data)
            if turn is not None and not turn.window_us and not self._echo.owed:
                self._end()
        if not data:
            return
        first = not self._buffer
        self._buffer += data
        if turn is not None and turn.window_us:
            if turn.complete(bytes(self._buffer)) or len(self._buffer) > ANSWER_BYTES_MAX:
                self._end()
            elif first:
                self._wait_until(self._quiet_since_us + turn.silence_us + self._slack_us)

    async def silence(self, gap_us: int) -> None:
        """Return when the line has been silent for `gap_us`; at once if that is 0, behind our own bytes."""
        for _ in range(SILENCE_TRIES_MAX):
            if not gap_us or self._now() >= self._quiet_since_us + gap_us:
                return
            await self._clock.sleep_until(self._quiet_since_us + gap_us)

    async def transact(self, turn: Turn) -> bytes:
        """Send, and wait for the answer. `PortError` if the port is gone."""
        await self.silence(turn.gap_us)
        self._check()
        sent_us = self._send(turn.data)
        if turn.window_us == 0 and self._echo is None:
            return b""
        self._turn = turn
        self._ended = self._loop.create_future()
        self._wait_until(sent_us + turn.window_us + self._slack_us)
        try:
            await self._ended
        finally:
            self._turn = self._ended = None
            if self._timer is not None:
                self._timer.cancel()
        self._check()
        answer = bytes(self._buffer)
        self._buffer.clear()
        return answer

    def _wait_until(self, deadline_us: int) -> None:
        """For the answer, or for the rest of it."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._clock.call_at(deadline_us, self._waited)

    def _waited(self) -> None:
        # One timer an answer, not one a byte: what came meanwhile is looked at when it ends.
        turn = self._turn
        if turn is None:
            return
        until_us = self._quiet_since_us + turn.silence_us + self._slack_us
        if self._buffer and until_us > self._now():
            self._wait_until(until_us)
        else:
            self._end()

    def _end(self) -> None:
        """The answer is whole, or no more of it will come."""
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)

    def _send(self, data: bytes) -> int:
        """Give the bytes to the port; returns when the last of them will have left it, in microseconds."""
        try:
            self.serial.reset_input_buffer()  # what came late belongs to no turn
            self._buffer.clear()
            if self._echo is not None:
                self._echo.sent(data)
            # Not by pyserial: without a time limit it tries for ever, and the whole station with it.
            written = os.write(self._fd, data)
        except BlockingIOError:
            written = 0
        except (OSError, termios.error) as error:
            raise _port_error(self.path, error) from error
        if written != len(data):
            raise PortError(errno.EIO, f"serial port {self.path}: it takes no more bytes: check the converter")
        # What follows directly waits in the port until our bytes before it have left.
        self._quiet_since_us = max(self._now(), self._quiet_since_us) + self.settings.wire_us(len(data))
        return self._quiet_since_us

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    async def rest(self, turns: Sequence[Turn]) -> int:
        """A real line is never skipped."""
        return 0

    def wake(self) -> None:
        """It never rests."""

    def close(self) -> None:
        """Let the port go; may be called twice, and on a port that is gone."""
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

        `on_event(point, event)` gets all that happens. `on_port(text)` hears that the port is gone, and why,
        once each time; None says that it is back.
        """
        self._schedule = schedule
        self._port = port
        self._clock = clock
        self._on_event = on_event
        self._open_port = open_port
        self._on_port = on_port
        self._told = False
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
        if self._on_port is not None and not self._told:
            self._on_port(text)
        self._told = True
        self._schedule.port_lost(self._now())
        self._pass_on()

    async def _reopen(self) -> None:
        """Try until the port is there; orders are refused meanwhile."""
        while True:
            try:
                self._port = self._open_port()
            except OSError as error:
                self._port_gone(str(error.strerror or error))
                await self._wait_down(self._now() + REOPEN_US)
                continue
            if self._on_port is not None and self._told:
                self._on_port(None)
            self._told = False
            return

    async def _wait_down(self, until_us: int) -> None:
        """Wait to try again, and answer the orders that come meanwhile."""
        while self._now() < until_us:
            waiter = self._down_waiter = asyncio.get_running_loop().create_future()
            timer = self._clock.call_at(until_us, lambda w=waiter: None if w.done() else w.set_result(None))  # type: ignore[misc]
            try:
                await waiter
            finally:
                timer.cancel()
                self._down_waiter = None
            self._schedule.take_orders(self._now() + 1)  # nothing is sent now: no turn to wait for
            self._pass_on()
