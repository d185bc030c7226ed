"""Whole sessions against imitated vendors, faults and all, on a clock that jumps: one number tells the whole story.

    python -m tests.simulation 17          what happened with seed 17, line by line
    python -m tests.simulation 0-999       a thousand of them, and which break a law

A seed draws a scenario (`scenario`): vendors and their limits, programs, jobs, users, faults, what stands in between
and answers for a vendor (`edge`), and whether a vendor quotes the key (`quotes`).  `world` plays it with the real
session, the real aiohttp client and a real aiohttp server on sockets in memory (`network`); `laws` watches every
request as it arrives, every wait as it ends, what is logged and shown, and the ledger at the end.
"""
