"""The verbs of the flow language, one a file, and the side questions of any state; ``table.py`` lists both."""
