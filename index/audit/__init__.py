"""What auditors run: one file that imports nothing of this project."""
