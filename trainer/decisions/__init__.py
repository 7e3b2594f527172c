"""What decisions over time are learnt from."""
