"""Whom a key and a request may reach, and what nobody may see. Pure."""
