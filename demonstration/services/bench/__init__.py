"""`bench`: each step of the main job beside a floor that does the same by fixed SQL or the bare library.

``stage`` is a database of the bench's own; ``steps``, ``payments`` and ``pages`` are what is measured; ``floors`` runs
``bench/floors/*.sql``; ``report`` prints and keeps the result.
"""
