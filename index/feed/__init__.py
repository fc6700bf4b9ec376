"""The HTTP feed: the published tree served to whoever settles on it, and never written to."""
