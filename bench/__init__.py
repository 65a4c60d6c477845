"""Benchmarks: `bin/bench` runs them all on this machine and prints ratios that were taken in one run."""
