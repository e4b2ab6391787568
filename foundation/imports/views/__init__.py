"""Files in, four steps on one page: file, columns, check, apply; the history; the rows that came back.

Reads start at ``visible_to``: a township's clerk sees her own desk's files, a county office those of its county. Whole
files and whole numbers are for their senders and for the bureaus that keep the register; each download is audited.
"""
