"""The Raspberry Pi's boot files: the language of config.txt, its keys, and the models."""
