"""Users: requests sent on a fixed schedule by a process of its own, every one of them written down."""
