"""Fits networks to windows: by a raw recipe (`raw`), or as tutorials do (`plain`)."""
