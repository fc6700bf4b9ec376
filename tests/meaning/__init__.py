"""Bodies whose meaning was changed, through every parser and its guards."""
