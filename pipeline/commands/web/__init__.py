"""``har-web``: live pages of what har-stream knows, and phones' browsers as sensors."""
