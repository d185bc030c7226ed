"""The imitated vendors: each folder is one, and knows nothing of the others. Pure.

A folder exports an `Imitation` as `IMITATION`. Nothing else names a vendor, so a new one is a new folder; `typed`
describes it to type checkers and editors.
"""

from __future__ import annotations

import pkgutil

NAMES = tuple(sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg))
"""Of the folders: the names by which a script, a request's record and the first part of a path call a vendor."""
