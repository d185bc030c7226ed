"""A provider that is not part of the package: built, installed, found and used as somebody else's would be."""
