"""Many power cuts, on all processors: `make crash`. Prints what was found, and exits with 1 if anything was.

    python -m tests.crash [--cuts 1000000] [--seed 1] [--jobs 2]

Each piece of work has a seed of its own, made from the run's: a failure names it, and `--seed` of that piece with
`--jobs 1` repeats it.
"""

import argparse
import multiprocessing
import os
import sys
import time
from functools import partial

from tests.crash.cuts import Outcome, Run

CUTS = 1_000_000
CUTS_A_PIECE = 2_000
PROGRESS = 5
"""A line each so many pieces: about four a minute."""


def piece(count: int, seed: int) -> Outcome:
    return Run(seed).cuts(count)


def main() -> int:
    words = argparse.ArgumentParser(prog="python -m tests.crash", description="Power cuts under the journal.")
    words.add_argument("--cuts", type=int, default=CUTS)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    asked = words.parse_args()
    pieces = -(-asked.cuts // CUTS_A_PIECE)
    total, began = Outcome(asked.seed), time.monotonic()
    with multiprocessing.Pool(asked.jobs) as pool:
        work = partial(piece, min(CUTS_A_PIECE, asked.cuts))
        for number, found in enumerate(pool.imap(work, range(asked.seed, asked.seed + pieces)), 1):
            total.add(found)
            if number % PROGRESS == 0 and number < pieces:
                _say(progress(total, pieces * CUTS_A_PIECE, time.monotonic() - began))
    _say(report(total, pieces, time.monotonic() - began))
    return 0 if total.clean else 1


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def progress(found: Outcome, out_of: int, took_s: float) -> str:
    """How far a run is, in one line."""
    left_min = took_s * (out_of - found.cuts) / max(found.cuts, 1) / 60
    what = f"{found.lost} lost, {found.doubled} doubled, {found.corrupt} corrupt"
    return f"  {found.cuts:>9,} of {out_of:,} cuts: {what}; about {left_min:.0f} min left"


def report(found: Outcome, pieces: int, took_s: float) -> str:
    """What a run found, for people."""
    lines = [
        f"seeds {found.seed} to {found.seed + pieces - 1}, {took_s:.0f} s",
        f"  power cuts          {found.cuts:>12,}",
        f"  acknowledged rows   {found.acknowledged:>12,}",
        f"  lost                {found.lost:>12,}",
        f"  doubled             {found.doubled:>12,}",
        f"  corrupt journals    {found.corrupt:>12,}",
        f"  strange rows        {found.strange:>12,}",
        f"  kept, though nobody was told  {found.kept_unacknowledged:,}",
        *(f"  {failure}" for failure in found.failures),
        "clean" if found.clean else "NOT CLEAN: please report this with the seed",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
