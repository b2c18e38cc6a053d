"""How a benchmark says what it found: a table for people, and one line of JSON.

A limit is either given, or computed in the same run; a miss is printed and never fails the run.
"""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True)
class Check:
    """One figure against its limit: at most `limit`, both in `unit`."""

    what: str
    measured: float
    limit: float
    unit: str

    @property
    def ratio(self) -> float:
        return self.measured / self.limit

    @property
    def met(self) -> bool:
        return self.measured <= self.limit


@dataclass(frozen=True, slots=True)
class Report:
    """What one benchmark found. `facts`: how the limit was computed, and what else was seen, in words."""

    name: str
    checks: Sequence[Check]
    facts: Sequence[tuple[str, str]] = field(default_factory=tuple)

    def show(self) -> None:
        print(f"\n{self.name}  ({os.cpu_count()} cores, load {os.getloadavg()[0]:.1f})")
        for what, text in self.facts:
            print(f"    {what}: {text}")
        width = max(len(check.what) for check in self.checks)
        print(f"  {'':{width}}  {'measured':>12}  {'limit':>12}  ratio")
        for check in self.checks:
            measured, limit = (f"{value:,.2f} {check.unit}" for value in (check.measured, check.limit))
            verdict = "PASS" if check.met else "MISS"
            print(f"  {check.what:{width}}  {measured:>12}  {limit:>12}  {check.ratio:5.2f}  {verdict}")
        print(json.dumps(self.as_json(), ensure_ascii=False))

    def as_json(self) -> dict[str, object]:
        return {
            "benchmark": self.name,
            "python": platform.python_version(),
            "cores": os.cpu_count(),
            "facts": dict(self.facts),
            "checks": [
                {**asdict(check), "ratio": round(check.ratio, 4), "verdict": "PASS" if check.met else "MISS"}
                for check in self.checks
            ],
        }


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def machine_fact(late_us: Sequence[int]) -> tuple[str, str]:
    """What the machine adds by itself: how late the process of the pumps was, which does next to nothing."""
    p50, p99 = (percentile(late_us, share) / 1_000 for share in (0.5, 0.99))
    return "the machine", f"the pumps' own process ran late by p50 {p50:.2f} ms, p99 {p99:.2f} ms"
