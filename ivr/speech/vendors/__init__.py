"""What is installed of each vendor: version, languages, voices, where its files are. Loads no engine and no numpy."""
