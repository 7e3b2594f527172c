"""What one phone sends, kept in files with what its carrier does."""
