"""The intermediate form, read from the graph of an artifact."""
