"""Workbooks taken apart in a process of their own.

Everything here runs in a child that `foundation.sheets.child` starts for one file: it holds no database connection, no
key and no secret, may use so much memory and time and write nothing, and answers with rows of text. So this package
imports the standard library and the parsers only, neither Django nor anything else of the portal.
"""
