"""Terraform's command line: planned, applied and destroyed by typed calls; `port.py` is what phases know."""
