"""A speech worker process: voice activity, endpointing, recognition, synthesis. Never imported by the line."""
