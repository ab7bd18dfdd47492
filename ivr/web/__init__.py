"""HTTP: health, API, live views, console."""
