"""Lists of requests in files, and what came of them."""

from aiogen.batch.rows import Row, Rows

__all__ = ["Row", "Rows"]
