"""The checker: what holds on every path of every call, and the counter-example where it doesn't. Pure."""
