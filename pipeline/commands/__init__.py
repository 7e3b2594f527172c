"""The installed commands, one module or folder each, with its settings beside it."""
