"""The web server: the console's pages, the JSON API, and the events that keep open pages up to date."""
