"""SIP: the user agent, registration, trunk policy, transfer. The only package that parses signalling."""
