"""Queued queries → released results. Leases, pins, runs each query in a process of its own that can be killed."""
