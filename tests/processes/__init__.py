"""Several real processes on one ledger, and a vendor that sees which of them asks."""
