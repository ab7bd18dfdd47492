"""Two versions of the flows compared, in a designer's words."""
