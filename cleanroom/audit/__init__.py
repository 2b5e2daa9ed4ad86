"""Events → proof. Canonical JSON, a Merkle tree, signed checkpoints, and verification that needs nothing but the log's public key."""
