"""All benchmarks, one after the other: what each is for stands in its module, and in docs/benchmarks.md."""

from benchmarks import busy_lines, codecs, idle_round, journal, lab, loop_lateness, stop_all, tap, whitelist


def main() -> None:
    for benchmark in (idle_round, busy_lines, stop_all, codecs, loop_lateness, journal, tap, lab, whitelist):
        benchmark.measure().show()


if __name__ == "__main__":  # the pumps' process imports this module again
    main()
