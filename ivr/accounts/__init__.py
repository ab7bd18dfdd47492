"""Accounts: the people of the house, their roles and their sessions."""
