"""From windows to results: what cannot be right, and what is being done."""
