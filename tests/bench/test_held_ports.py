"""Ports that are promised to programs which are not there yet."""

import asyncio
import socket

import pytest

from sim.held_ports import HOST, HeldPorts


def _exclusively(port: int) -> None:
    with socket.socket() as bound:
        bound.bind((HOST, port))


def test_a_server_comes_goes_and_comes_again_on_a_held_port() -> None:
    held = HeldPorts()
    port = held.one()

    def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"here")
        writer.close()

    async def serve_one() -> bytes:
        server = await asyncio.start_server(greet, HOST, port)
        async with server:
            reader, writer = await asyncio.open_connection(HOST, port)
            said = await reader.read()
            writer.close()
        return said

    for _ in range(2):
        assert asyncio.run(serve_one()) == b"here"
    held.close()


def test_a_held_port_is_nobody_elses() -> None:
    first, second = HeldPorts(), HeldPorts()
    port = first.one()
    with pytest.raises(OSError, match="in use"):
        _exclusively(port)
    assert not {port} & {second.one() for _ in range(50)}
    first.close()
    _exclusively(port)
    second.close()


def test_neighbours_are_held_in_a_row() -> None:
    held = HeldPorts()
    first = held.neighbours(3)
    for port in range(first, first + 3):
        with pytest.raises(OSError, match="in use"):
            _exclusively(port)
    held.close()
