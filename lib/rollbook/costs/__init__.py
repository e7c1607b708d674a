"""What infrastructure costs: estimated from a dated price table before, and counted while it runs."""
