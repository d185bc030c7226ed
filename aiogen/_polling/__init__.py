"""When to ask about which job. Pure."""
