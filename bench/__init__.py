"""Side-by-side benchmarks: figures are ratios of medians within one run, never a timed test."""
