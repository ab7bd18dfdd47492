"""The dialogue engine: events in, effects out. No I/O, no clock."""
