"""The pictures that the sandbox gives out as outputs. The same description gives the same bytes."""

from .painter import Picture, film, paint

__all__ = ["Picture", "film", "paint"]
