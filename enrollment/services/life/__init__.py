"""The life of the register: what happens to residents and households, each by a small service of its own."""
