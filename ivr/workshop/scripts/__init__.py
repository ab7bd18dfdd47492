"""Scripts of calls (`*.test.yaml`): read, run, judged, covered, and made from real calls."""
