"""Master keys, data keys and what is sealed under them: pure; randomness comes in as arguments."""
