"""A board over SSH: where it is, the connection, and commands on it."""
