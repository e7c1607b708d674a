"""What people write for rollbook: the service file and the plan, read from YAML and checked line by line."""
