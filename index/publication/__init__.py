"""Records: their fields, their canonical bytes."""
