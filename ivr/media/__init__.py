"""RTP both ways: codecs, digits, voice gate, pacing; one process with one 20 ms ticker for all calls."""
