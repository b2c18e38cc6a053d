"""The simulator: every device and the outside world, each behind the same small Protocol as the real thing.

Two ways to run it: the bench (real time, real ports, for other programs to talk to) and the world (virtual time,
one seed, the production controller inside).
"""
