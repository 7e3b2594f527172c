"""``har-record``: samples of one phone, kept in files with labels of what its wearer does."""
