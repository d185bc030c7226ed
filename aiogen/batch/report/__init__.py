"""A batch as one page: what came of it, in pictures and figures; needs the extra `report`."""

from aiogen.batch.report.making import Made, file_for, make

__all__ = ["Made", "file_for", "make"]
