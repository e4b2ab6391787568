"""Bad and odd files: made from code, each with its expected outcome, all taken through the real check."""
