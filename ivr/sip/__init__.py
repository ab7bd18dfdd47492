"""SIP user agent with its transactions, dialogs, trunk policy, registration and transfer; only it parses SIP."""
