"""Timelines of turns: where each millisecond went between the caller's last sound and the line's first one."""
