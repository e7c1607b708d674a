"""A small HTTP service that says hello, tells how it is doing, and misbehaves when its configuration asks."""
