"""Hands messages to QStash through its SDK, which is told not to wait: the outbox is what retries."""

from shared.publishing.client import close, within
from shared.publishing.given_up import DeadLetters, dead_letters
from shared.publishing.messages import default_options, schedule_message
from shared.publishing.schedules import act_on_schedule, list_schedules, publish_run, put_schedule
from shared.publishing.sending import is_held, publish, publish_batch, publish_failure, withdraw

__all__ = [
    "DeadLetters",
    "act_on_schedule",
    "close",
    "dead_letters",
    "default_options",
    "is_held",
    "list_schedules",
    "publish",
    "publish_batch",
    "publish_failure",
    "publish_run",
    "put_schedule",
    "schedule_message",
    "withdraw",
    "within",
]
