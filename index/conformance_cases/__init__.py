"""Conformance: our rules on figures that other people's software or documents gave."""
