"""The installed commands har-train and har-evaluate, and their settings."""
