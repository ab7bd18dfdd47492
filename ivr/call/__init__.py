"""One call: session, ears, mouth, conductor; and the registry of all of them."""
