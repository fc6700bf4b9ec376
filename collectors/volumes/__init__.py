"""Sources of usage volumes."""
