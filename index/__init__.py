"""Determine, keep, publish and show: the only floor that touches clock, disk and terminal."""
