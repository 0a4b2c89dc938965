"""Every Go installation on a machine: which one is active, and with which GOROOT."""
