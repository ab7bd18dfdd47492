"""The films company on a database."""
