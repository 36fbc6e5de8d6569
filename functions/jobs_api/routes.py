"""Every route there is."""

from __future__ import annotations

from functions.jobs_api.api import batches, figures, jobs, openapi, schedules
from functions.jobs_api.api.app import app
from functions.jobs_api.pages import activity, assets, bulk, dead_letters, overview, signing_in
from functions.jobs_api.pages import batches as batch_pages
from functions.jobs_api.pages import jobs as job_pages
from functions.jobs_api.pages import schedules as schedule_pages

for each in (jobs, figures, batches, schedules, openapi):
    app.include_router(each.router)
for page in (
    signing_in,
    overview,
    job_pages,
    bulk,
    dead_letters,
    schedule_pages,
    batch_pages,
    activity,
    assets,
):
    app.include_router(page.router)

__all__ = ["app"]
