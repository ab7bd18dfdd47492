"""Example data of the films company, as JSON; read by ``ivr.reference.seed_data``."""
