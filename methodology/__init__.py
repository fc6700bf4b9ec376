"""What the benchmark is: rules, parameters, definitions and pure functions; no clock, no I/O."""
