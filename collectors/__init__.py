"""Bring what sources say: one file per source, one fetcher, one archive."""
