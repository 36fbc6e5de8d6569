"""The routes under /v1, health and the OpenAPI document."""

from functions.jobs_api.api import batches, figures, jobs, openapi, schedules
from functions.jobs_api.api.app import app

for each in (jobs, figures, batches, schedules, openapi):
    app.include_router(each.router)

__all__ = ["app"]
