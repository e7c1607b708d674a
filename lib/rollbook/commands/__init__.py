"""Commands of the command line, one module each; `register(app)` adds it."""
