"""Sources of currency reference rates."""
