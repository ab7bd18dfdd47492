"""SIP softphone for tests, the demo and `ivr call`: pyVoIP, an independent SIP stack, in a process of its own.

``phone.Softphone`` is what callers of this package use. pyVoIP (GPL) is imported by the child process only.
"""
