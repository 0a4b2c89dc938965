"""A board over SSH: its address, the connection, and commands on it."""
