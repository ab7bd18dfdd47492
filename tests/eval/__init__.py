"""The evaluation of hearing and understanding: ``make eval``, ``python -m tests.eval``."""
