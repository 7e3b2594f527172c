"""What outlives the program: the checkpoint, and what may be acknowledged when it is written."""
