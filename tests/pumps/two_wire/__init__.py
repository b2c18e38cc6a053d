"""Pump lines: frames, links, cores against their simulated twins, and real pseudo terminals."""
