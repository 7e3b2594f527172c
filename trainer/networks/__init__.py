"""The networks, and the views of a window that they are given."""
