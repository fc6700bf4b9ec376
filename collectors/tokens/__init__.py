"""Sources of token prices."""
