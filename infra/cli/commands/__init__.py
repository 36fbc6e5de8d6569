"""The commands, in the order of their use."""

from infra.cli.commands import (
    acting,
    batches,
    enqueueing,
    figures,
    listing,
    retrying,
    schedules,
    showing,
    tailing,
)

COMMANDS = (
    listing.list_jobs,
    showing.show_job,
    enqueueing.enqueue_job,
    retrying.retry_job,
    acting.replay_jobs,
    acting.cancel_jobs,
    tailing.tail_jobs,
    figures.show_statistics,
    figures.show_health,
    figures.list_dead_letters,
    schedules.schedules,
    batches.batches,
    figures.list_types,
    figures.list_actions,
)
