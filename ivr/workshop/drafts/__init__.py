"""Drafts of the flows' folder: two people's edits put together, checked, compared and published."""
