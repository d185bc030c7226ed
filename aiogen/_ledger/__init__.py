"""The session's side of the store: the lease, facts that are owed, handlers, what was learned."""
