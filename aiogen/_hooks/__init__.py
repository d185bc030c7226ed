"""Calls that vendors make to us, as bytes and headers: whether one is genuine, and what it is about.  Pure."""
