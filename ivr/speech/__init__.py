"""Recognition, synthesis and voice activity: one file a vendor, run in worker processes."""
