"""The command line: one file a command. Each offers ``add(subparsers)`` and a handler that returns the exit code."""
