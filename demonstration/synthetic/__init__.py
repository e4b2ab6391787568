"""A county of people who do not exist, with the files its offices would send.

`generate` gives a small county in memory; `make_files` writes the files of a county of any size.
"""

from demonstration.synthetic.files import make_files
from demonstration.synthetic.population import generate, iter_villages
from demonstration.synthetic.spec import UnknownCountyError, load_spec, scaled_targets

__all__ = ["UnknownCountyError", "generate", "iter_villages", "load_spec", "make_files", "scaled_targets"]
