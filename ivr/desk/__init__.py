"""Where handed-over calls go: skills, agents, hours, callbacks."""
