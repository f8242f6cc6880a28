"""What an outgoing webhook is made of: how it is written, signed and sent, and what follows from the answer.

No database and no clock: everything but `sending` and `guard` is a pure function over values that a row can hold.
"""
