#!/usr/bin/env python
"""Commands of the portal; those that need servers start embedded ones where no URL names them."""

import sys

from portal.entry import main

if __name__ == "__main__":
    main(sys.argv)
