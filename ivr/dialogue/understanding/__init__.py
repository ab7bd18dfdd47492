"""From what a recogniser heard to what the caller means: grammars, slots, readings, risk. Pure."""
