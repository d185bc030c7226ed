"""What Leonardo.Ai calls a webhook: how it is checked, and which generation it is about.  Pure.

Source: https://docs.leonardo.ai/docs/guide-to-the-webhook-callback-feature.  It is set with the API key, for all of its
creates: a url, and a secret that comes back as a bearer.  There is no signature, no time, and no id of the event; and
`data.object.apiKey` holds the API key itself and the secret.  Whether failures are announced, and how events of videos
are called, is not documented.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from aiogen._hooks.judging import WebhookFormat
from aiogen._hooks.verdicts import Hint
from aiogen._hooks.verifying import Bearer

_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def hint_in(event: Mapping[str, Any]) -> Hint | None:
    """Of any event about a generation, whatever its name; `post_processing.complete` is about a variation of one."""
    data = event.get("data")
    row = data.get("object") if isinstance(data, Mapping) else None
    if not isinstance(row, Mapping) or event.get("object") != "generation":
        return None
    provider_id = row.get("id")
    if not isinstance(provider_id, str) or not _UUID.fullmatch(provider_id):
        return None
    words = (event.get("type"), row.get("status"))
    return Hint(provider_id.lower(), " ".join(word[:50] for word in words if isinstance(word, str)))


WEBHOOKS = WebhookFormat(
    verification=Bearer,
    read=hint_in,
    secrets=frozenset({"apiKey", "apiKeyId", "webhookCallbackApiKey", "webhookCallbackUrl"}),
)
