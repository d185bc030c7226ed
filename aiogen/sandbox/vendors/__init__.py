"""The imitated vendors: each folder is one, and knows nothing of the others. Pure.

A folder exports a function that makes a `Vendor` of its settings; `aiogen.sandbox.app` passes these to the server.
"""

NAMES = ("luma", "leonardo")
"""Of the folders: the names by which a script, a request's record and the first part of a path call a vendor."""
