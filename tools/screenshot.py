"""Draws docs/terminal.svg: the attendant's terminal itself, shown a made-up moment of a simulated station.

Run it as `.venv/bin/python tools/screenshot.py`. It needs no screen and no station; the same program gives the same
picture on every machine.
"""

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

from msgspec.structs import replace

from controller.domain.desk import Command, CommandResult, LinkView, Need, PointState, PointView, Snapshot, UnpaidView
from controller.domain.reasons import CATALOGUE, Reason

PICTURE = Path(__file__).parent.parent / "docs" / "terminal.svg"
SIZE = (100, 30)
AT_MS = 1_767_270_845_000
"""2026-01-01 12:34:05 UTC."""
MONOTONIC_MS = 10_000_000
"""The terminal's clock stands still here: what blinks is lit."""
SETTLE_TURNS_MAX = 200
_FONT_FACE = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)


def _unpaid(point: int, grade: str, volume_ml: int, amount_minor: int, price: str) -> UnpaidView:
    return UnpaidView(f"d{point}", point, grade, "l", volume_ml, amount_minor, price, AT_MS - 20_000, "")


def _points() -> tuple[PointView, ...]:
    def point(number: int, state: PointState, grade: str = "", price: str = "", since_s: int = 8) -> PointView:
        return PointView(number, state, AT_MS - 1_000 * since_s, grade, price=price)

    declined = CATALOGUE[Reason.LIMIT_DAY].attendant
    return (
        replace(
            point(1, PointState.FUELLING, "Diesel", "44.12"),
            volume_ml=28_160,
            amount_minor=124_242,
            token="900100******0101",
        ),
        point(2, PointState.CALLING, "Gasoline 95", "43.79"),
        replace(
            point(3, PointState.DECIDING, "Diesel", "44.12"),
            token="900100******0102",
            need=Need.ODOMETER,
            text="What does the odometer say?",
        ),
        replace(point(4, PointState.IDLE), unpaid=(_unpaid(4, "Autogas", 14_990, 36_501, "24.35"),)),
        point(5, PointState.IDLE),
        replace(point(6, PointState.AUTHORISED, "Gasoline 95", "43.79"), token="16****01"),
        replace(
            point(7, PointState.REFUSED, "Diesel", "44.12"),
            token="900100******0302",
            reason=Reason.LIMIT_DAY.value,
            text=declined,
        ),
        point(8, PointState.IDLE),
    )


class MadeUpStation:
    """Shows one snapshot for ever, and does nothing that it is told."""

    async def whoami(self) -> str:
        return "till-1"

    async def command(self, command: Command) -> CommandResult:
        return CommandResult(command.command_id, done=False)

    async def snapshots(self) -> AsyncIterator[Snapshot]:
        yield Snapshot(
            station="SIM-0001",
            station_name="Forecourt Demo Station",
            simulated=True,
            currency="TRY",
            decimals=2,
            at_ms=AT_MS,
            version=1,
            points=_points(),
            link=LinkView(configured=True, connected=True, waiting_rows=0, down_since_ms=0),
            troubles=(),
            journal_head="",
            sales=42,
        )
        await asyncio.Event().wait()

    async def close(self) -> None:
        return


async def draw() -> str:
    """The picture as SVG text."""
    # The package `terminal` settles how Textual reads the keyboard, before Textual is imported.
    from terminal.app import TerminalApp

    app = TerminalApp(MadeUpStation, monotonic_ms=lambda: MONOTONIC_MS, new_id=lambda: "picture")
    async with app.run_test(size=SIZE) as pilot:
        for _ in range(SETTLE_TURNS_MAX):
            await pilot.pause()
            if app.view.snapshot is not None and app.view.till:
                break
        else:
            raise RuntimeError("the terminal never showed the made-up station")
        await pilot.press("2")
        await pilot.pause()
        svg = app.export_screenshot(title="forecourt terminal")
    # Without fonts from elsewhere: a picture in a document must not call anybody.
    svg = _FONT_FACE.sub("", svg)
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


def main() -> None:
    os.environ["TZ"] = "UTC"
    time.tzset()
    PICTURE.write_text(asyncio.run(draw()), encoding="utf-8")


if __name__ == "__main__":
    main()
