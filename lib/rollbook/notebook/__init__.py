"""What the runbooks show and take: typed parameters and the live picture of a canary."""
