"""The test kit: for tests of code that enqueues jobs, and of the handlers that run them, on your own Postgres.

Jobs are the rows that the code writes, handlers are run by the worker's own code, and only QStash is left out. It is
never deployed: the layer does not hold it. docs/testing.md is the guide; `shared.testing.plugin` has fixtures for pytest.
"""

from shared.testing.enqueued import EnqueuedJob
from shared.testing.jobs import Jobs
from shared.testing.qstash import CapturingQStash, Message, Schedule
from shared.testing.running import Drained, Performed

__all__ = ["CapturingQStash", "Drained", "EnqueuedJob", "Jobs", "Message", "Performed", "Schedule"]
