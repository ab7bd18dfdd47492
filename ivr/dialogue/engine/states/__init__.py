"""The verbs of the flow language, one a file: each returns what comes next (``next.py``); ``table.py`` lists them."""
