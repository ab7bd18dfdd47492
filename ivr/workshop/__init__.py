"""The flow designer's tools: simulate, test, diff, graph, fmt, new, explain."""
