"""Worker processes: one supervised child process and one codec of frames, for media, speech and whoever comes next."""
