"""The parts of `tools/bench_association.py`: timed runs, identity F1, where the time goes."""
