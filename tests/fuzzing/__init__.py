"""Mutated bodies through every parser, judged by a validator that shares no code with them."""
