"""What flows can do: typed, audited, idempotent actions on the store or over HTTP."""
