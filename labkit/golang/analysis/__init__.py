"""What is in a Go program: its ELF headers, its instructions, and what two programs differ in."""
