"""The content of files: their kinds, their ends, the parts that storages send, and when urls expire.  Pure."""
