"""Where the runs of a benchmark are worked on: this machine, or a Ray cluster."""
