"""One call: its session and conductor, mouth and ears, hand-over and record; and the registry of all calls."""
