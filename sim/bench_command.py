"""The command `forecourt sim bench`: a file into a running bench, an error into a sentence and exit code 1."""

import asyncio
import logging
from pathlib import Path

import click

from sim.bench import serve
from sim.bench_file import BenchError


@click.command()
@click.option("--config", "path", type=click.Path(path_type=Path), default=Path("bench.toml"), show_default=True)
@click.option("--verbose", is_flag=True, help="Say on stderr what customers do and what is printed.")
@click.option("--real-port", is_flag=True, help="Allow lines on real serial devices: a simulated pump on a real cable.")
def bench(path: Path, verbose: bool, real_port: bool) -> None:
    """Simulated pumps, readers and a printer on real ports, until SIGTERM. Prints the port of each device."""
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="%(name)s: %(message)s")
    try:
        asyncio.run(serve(path, click.echo, real_port=real_port))
    except BenchError as error:
        click.echo(str(error), err=True)
        raise SystemExit(1) from error
