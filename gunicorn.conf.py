"""What every gunicorn of the portal has in common; numbers of processes are given where it is started."""

from __future__ import annotations

# For those who turn the access log on: the path alone. A query string can hold what somebody searched for, up to a
# whole ID number, and so can the address of the page before.
access_log_format = '%(h)s %(t)s "%(m)s %(U)s %(H)s" %(s)s %(b)s %(M)sms'
