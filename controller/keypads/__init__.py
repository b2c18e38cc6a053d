"""Keypads at the pumps, where a driver answers what a decision asks."""
