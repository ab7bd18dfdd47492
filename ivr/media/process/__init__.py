"""The media process: RTP both ways for all calls, one thread, one 20 ms ticker. Never imported by the line."""
