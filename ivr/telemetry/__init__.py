"""Telemetry: what operators measure of a line: metrics, call detail records, traces; by its calls and parts."""
