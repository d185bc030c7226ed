"""How jobs come in, are found again, and are settled by their users."""
