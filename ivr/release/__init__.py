"""Which version of the flows a new call gets: checked, published, canaried, rolled back."""
