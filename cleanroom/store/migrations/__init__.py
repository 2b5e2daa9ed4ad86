"""Schema → schema, a file for each step. Run by `store.migration` alone, on the connection that it is given."""
