"""AZT 2.0: frames, the core against its simulated twin, and a real pseudo terminal."""
