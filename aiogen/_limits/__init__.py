"""What an account allows, and what is sent again. Pure."""
