"""Where a key and a request may go, and what must never be shown.  Pure."""
