"""What happens to which job.

A `Script` is an ordered list of rules and a list of storms. The first rule that fits a create gives the job its `Fate`.
A storm answers every request of some kind with a fault for a while. A script comes from Python, from a JSON file with
the same names, or from the control API:

    {"rules":  [{"provider": "NAME", "model": "MODEL", "prompt": "boat", "nth": [0, 3], "probability": 0.5, "times": 2,
                 "fate": {"processing": 3, "failure_code": "content_moderated", "poll_faults": "500,html*2"}}],
     "storms": [{"fault": "429@7", "after": 10, "until": 20, "provider": "NAME", "actions": ["list"]}]}

`aiogen.sandbox.script.faults` lists the faults. A prompt may set the fate of its own job, in double brackets anywhere
in it; that has precedence over the script, and is not painted:

    a boat [[fail=content_moderated processing=3]]

    fail=CODE             failed with this code; null: without a code; any word, known or not
    reason="TEXT"         failure_reason
    queued=S              seconds in the queue, of the vendor's time
    processing=S          seconds of work, of the vendor's time
    outputs=N             number of outputs
    state=WORD            an unknown state, until the end; state=WORD*2: for the first 2 polls
    missing=empty         finished without outputs; missing=absent: without the field; ...*2: for 2 polls after the end
    nsfw=all              flagged outputs, where the vendor flags; nsfw=1: number of flagged outputs
    moderation=A,B        moderation classes, where the vendor reports them
    null-enums            null for the names of a closed set (such as a scheduler), where the vendor reports them
    not-found=N           the first N polls are answered as if there were no such job
    create=FAULTS         for the first creates with exactly this prompt, then it is accepted
    poll=FAULTS           for the first polls
    delete=FAULTS         for the first deletes
    download=FAULTS       for the first downloads of each output
    url-lifetime=S        of the outputs, in the vendor's time
    webhook=WORDS         the vendor's call, where it makes one: never, twice, late@S (of the vendor's time), or forged
                          (a call by a stranger as well, before it)
    latency=S             before each answer about this job, not shortened

Pure. Counting and chance are left to `aiogen.sandbox.script.director`.
"""

from .fate import Fate
from .faults import Fault
from .rules import Rule, Script, Storm
from .validators import ACTIONS, ScriptError

__all__ = ["ACTIONS", "Fate", "Fault", "Rule", "Script", "ScriptError", "Storm"]
