"""The caller's side: a telephone on pyVoIP for the demo, `ivr call` and the wire tests. Needs the `softphone` extra."""
