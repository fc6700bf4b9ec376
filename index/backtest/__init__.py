"""What the rules would have published: the bundled history as a test of the rules themselves.

``passes`` determines the history twice, as published and without screens; ``anomalies``, ``events``
``measures`` and ``scenarios`` read it; ``page`` and ``charts`` show it. Nothing here determines a
value by a road of its own.
"""
