"""What each phase of a release does: ports in, a typed outcome out, everything written to the record."""
