"""What decides what is said next: flow model, loader, checker, cursor, understanding. No I/O, no clock."""
