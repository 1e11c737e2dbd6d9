"""The parts of `tools/bench_accuracy.py`: inputs, runs and their store, comparison, report."""
