"""Follows every job of a session: what may start now, and what came of it."""
