"""The life of the register where money stands on it: what a death, a move, a merge means for charges and payments."""
