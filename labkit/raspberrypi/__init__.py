"""The Raspberry Pi's boot files: the language of config.txt, and the keys its firmware knows."""
