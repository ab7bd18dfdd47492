"""Natural language understanding: grammars, slots, the n-best list, paraphrases, risk. Pure."""
