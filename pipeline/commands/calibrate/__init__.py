"""How a phone is worn, measured while its wearer stands and walks, and published."""
