"""The ledger in PostgreSQL: survives any crash, and serves several machines."""
