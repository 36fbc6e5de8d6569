"""One delivery of one job: claim, validate, run, finish, answer.

The rules (which status, which answer, in what order) were model-checked; each guard is there because the model lost
or doubled a job without it. docs/job-lifecycle.md tells them in words.
"""

from shared.delivery.attempt import Attempt

__all__ = ["Attempt"]
