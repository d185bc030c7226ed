"""What files are: their kinds, their ends, the parts that storages send of them. Pure."""
