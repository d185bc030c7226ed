"""The calls that Leonardo makes at the end of a generation.

As documented: no signature, no id, and the key with its secret inside. Whether it reports failures, too, is not
documented; here it does, under the same name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...clock import Clock
from ...jobs import SandboxJob
from ...settings import valid_key
from ...webhooks import SentWebhook, WebhookSender, delays
from .bodies import stamp
from .settings import LEONARDO_KEY, LeonardoSettings

Shown = Callable[[SandboxJob], dict[str, Any]]


class Webhooks:
    """One account's; nothing is sent without a URL."""

    def __init__(self, settings: LeonardoSettings, clock: Clock, sender: WebhookSender, shown: Shown) -> None:
        """`shown` is the generation as reading shows it."""
        self._settings = settings
        self._clock = clock
        self._sender = sender
        self._shown = shown

    def accepted(self, job: SandboxJob) -> None:
        """This job's calls will be made."""
        if self._settings.webhook_url is None:
            return
        if "forged" in job.fate.webhook:
            self._post(job, job.created_at, forged=True)
        for delay in delays(job.fate.webhook):
            self._post(job, job.ends_at + self._clock.shortened(delay), forged=False)

    def _post(self, job: SandboxJob, at: float, *, forged: bool) -> None:
        url, secret = self._settings.webhook_url, self._settings.webhook_secret
        assert url is not None
        if forged:
            secret = "not the secret"
        headers = {
            "content-type": "application/json",
            "user-agent": "axios/1.4.0",
            "accept": "application/json, text/plain, */*",
        }
        if secret is not None:
            headers["authorization"] = f"Bearer {secret}"
        what = SentWebhook(at=at, provider="leonardo", job_id=job.id, forged=forged)
        self._sender.post(at, what, url, headers, lambda: self._event(job, forged=forged))

    def _event(self, job: SandboxJob, *, forged: bool) -> dict[str, Any]:
        now = self._clock.now()
        row = self._shown(job)
        row["images"] = row.pop("generated_images", [])
        row["seed"] = str(row["seed"])
        row["createdAt"] = stamp(self._clock.wall(job.created_at)) + "Z"
        row["updatedAt"] = stamp(self._clock.wall(now)) + "Z"
        if forged:
            row["status"] = "COMPLETE"
        else:
            row["apiKey"] = {
                "key": valid_key(self._settings.api_keys, LEONARDO_KEY),
                "webhookCallbackUrl": self._settings.webhook_url,
                "webhookCallbackApiKey": self._settings.webhook_secret,
            }
        return {
            "type": "image_generation.complete",
            "object": "generation",
            "timestamp": int(self._clock.wall(now).timestamp() * 1000),
            "api_version": "v1",
            "data": {"object": row},
        }
