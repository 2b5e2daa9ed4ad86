"""The HTTP door: requests → the broker and the store, answers by role and ownership. Reads no partner data."""
