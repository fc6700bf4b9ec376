"""Sources of GPU-hour prices."""
