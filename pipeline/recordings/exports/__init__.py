"""What phones' apps export."""
