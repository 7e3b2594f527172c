"""The history: what phones were doing, kept in a database for months, shown by day and week."""
