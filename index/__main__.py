"""Lets ``python -m index`` do what ``spotfix`` does."""

from index.cli import main

main()
