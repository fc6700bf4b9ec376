"""Disposable projections of the ledger: the DuckDB analysts' file and Parquet."""
