"""The demo: many generations at two imitated providers, with the ways in which real ones fail and falter.

`plan` says what is submitted and what goes wrong, `witness` watches it go wrong, `report` and `overview` show the
result, and `show` runs it all.  It needs no key and uses none.
"""

from aiogen.cli.demo.plan import plan
from aiogen.cli.demo.show import show

__all__ = ["plan", "show"]
