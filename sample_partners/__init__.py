"""Two invented companies with data of their own: what the demo, the tutorial and `make serve` work on."""
