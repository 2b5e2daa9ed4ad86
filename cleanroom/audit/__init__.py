"""Events → proof. Canonical JSON, a Merkle tree, signed checkpoints; whoever has the public key can verify them."""
