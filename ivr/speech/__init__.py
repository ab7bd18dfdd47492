"""Recognition and synthesis: one file a vendor, in worker processes of their own; seen by the line as SpeechService."""
