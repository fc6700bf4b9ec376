"""The one truth: append-only Merkle log, write-once batches, the single writer's lock."""
