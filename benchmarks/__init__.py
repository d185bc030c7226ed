"""Measurements over real sockets: aiogen beside the vendors' own clients and the loops that people write."""
