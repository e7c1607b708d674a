"""What other rules would have decided over requests that were recorded: the judge, thresholds, a peeked test.

Pure: a run's evidence, or counters, in; decisions out. docs/replay.md says what can be concluded from them.
"""
