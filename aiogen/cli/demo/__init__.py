"""The demo: many generations at two imitated providers, with the ways in which real ones fail and falter.

`plan` says what is asked for and what shall go wrong, `witness` watches it go wrong, `report` and `overview` tell what
came of it, and `show` runs it all.  It needs no key and looks at none.
"""

from aiogen.cli.demo.plan import plan
from aiogen.cli.demo.show import show

__all__ = ["plan", "show"]
