"""Bytes reach real ports, and a port that fails says what to do."""

import asyncio
import contextlib
import os
import tty
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from controller.domain.receipt import receipt_lines, receipt_text
from controller.printing.escpos import MODELS, StatusKind, slip_bytes, status_request
from controller.printing.port import PortPrinter, PortSettings
from controller.printing.spool import PrinterError, PrintQueue, Slip, SpoolDirectory, slip_name
from sim.held_ports import HOST, HeldPorts
from sim.printer import STATUS_FINE, PrintedSlip, PrinterTwin, serve_pty
from tests.printing.clocks import LoopClock
from tests.printing.samples import UKRAINIAN, sample_receipt

MODEL = MODELS["epson"]
BRIEF = PortSettings(timeout_us=500_000)
"""Long enough to connect, on a busy machine too."""
BIG = bytes(8_000_000)
"""More than any buffer between two ends takes."""

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def network_printer(handler: Handler) -> AsyncIterator[str]:
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    async with server:
        yield f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.fixture
def held_line() -> Iterator[str]:
    """A serial line whose far end never reads."""
    far, near = os.openpty()
    tty.setraw(near)
    yield os.ttyname(near)
    os.close(near)
    os.close(far)


def test_a_receipt_goes_from_the_queue_through_a_serial_port_to_paper(tmp_path: Path) -> None:
    lines = receipt_lines(sample_receipt(UKRAINIAN))

    async def scenario() -> PrintedSlip:
        printed: asyncio.Queue[PrintedSlip] = asyncio.Queue()
        service = serve_pty(PrinterTwin(MODEL, 42), printed.put_nowait)
        said = list[str | None]()
        queue = PrintQueue(SpoolDirectory(tmp_path), PortPrinter(service.path, LoopClock()), LoopClock(), said.append)
        running = asyncio.create_task(queue.run())
        for number in (1, 2):
            queue.submit(Slip(slip_name(number), receipt_text(lines), slip_bytes(lines, MODEL, 42)))
        first, second = await printed.get(), await printed.get()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        service.close()
        assert first == second
        assert said == []
        return first

    slip = asyncio.run(scenario())
    assert slip.lines == lines
    assert slip.text == (tmp_path / "receipt-000001.txt").read_text()


def test_the_twin_on_its_port_answers_for_its_paper() -> None:
    async def scenario() -> bytes:
        service = serve_pty(PrinterTwin(MODEL, 42), lambda _: None)
        near = os.open(service.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        answered = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(near, answered.set)
        os.write(near, status_request(StatusKind.PAPER))
        await answered.wait()
        loop.remove_reader(near)
        answer = os.read(near, 10)
        os.close(near)
        service.close()
        return answer

    assert asyncio.run(scenario()) == bytes((STATUS_FINE,))


def test_a_network_printer_gets_every_byte_though_it_talks_back() -> None:
    async def scenario() -> bytes:
        got: asyncio.Queue[bytes] = asyncio.Queue()

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"\x12" * 100)
            got.put_nowait(await reader.read())
            writer.close()
            await writer.wait_closed()

        async with network_printer(handler) as address:
            await PortPrinter(address, LoopClock()).print(BIG)
            return await got.get()

    assert asyncio.run(scenario()) == BIG


def test_a_missing_device_is_a_sentence_and_has_begun_nothing() -> None:
    error = failure(PortPrinter("/dev/no-such-printer", LoopClock()))
    assert "The receipt printer at /dev/no-such-printer cannot be reached" in str(error)
    assert not error.begun


def test_a_file_that_is_no_serial_port_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    assert "cannot be reached" in str(failure(PortPrinter(str(path), LoopClock())))


def test_a_refused_connection_is_a_sentence_and_has_begun_nothing() -> None:
    async def scenario() -> PrinterError:
        return await failing(PortPrinter(f"tcp://{HOST}:{ports.one()}", LoopClock()), b"slip")

    with contextlib.closing(HeldPorts()) as ports:
        error = asyncio.run(scenario())
    assert "check that it is switched on" in str(error)
    assert not error.begun


def test_a_serial_line_that_is_held_ends_by_the_clock(held_line: str) -> None:
    error = failure(PortPrinter(held_line, LoopClock(), BRIEF), BIG)
    assert "takes no more: check that it is on, has paper" in str(error)
    assert error.begun


def test_a_network_printer_that_stops_reading_ends_by_the_clock() -> None:
    async def scenario() -> PrinterError:
        over = asyncio.Event()

        async def handler(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await over.wait()
            writer.transport.abort()

        async with network_printer(handler) as address:
            error = await failing(PortPrinter(address, LoopClock(), BRIEF), BIG)
            over.set()
        return error

    error = asyncio.run(scenario())
    assert "takes no more" in str(error)
    assert error.begun


def test_a_printer_that_goes_away_while_printing_has_begun() -> None:
    async def scenario() -> PrinterError:
        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readexactly(1)
            writer.transport.abort()

        async with network_printer(handler) as address:
            return await failing(PortPrinter(address, LoopClock()), BIG)

    error = asyncio.run(scenario())
    assert "went away while printing" in str(error)
    assert error.begun


@pytest.mark.parametrize("address", ["tcp://", "tcp://:9100", "tcp://printer:99999"])
def test_an_address_that_names_no_printer_is_refused(address: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        PortPrinter(address, LoopClock())


def failure(printer: PortPrinter, data: bytes = b"slip") -> PrinterError:
    return asyncio.run(failing(printer, data))


async def failing(printer: PortPrinter, data: bytes) -> PrinterError:
    with pytest.raises(PrinterError) as caught:
        await printer.print(data)
    return caught.value
