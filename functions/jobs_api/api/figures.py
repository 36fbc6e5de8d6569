"""Statistics, dead letters, health, job types, and who did what."""

from __future__ import annotations

from functools import cache
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query
from aws_lambda_powertools.event_handler.router import LambdaFunctionUrlRouter

from functions.jobs_api.access.callers import current, current_or_none
from functions.jobs_api.api.app import JSON
from functions.jobs_api.reading import actions, figures
from functions.jobs_api.shapes import (
    ActionPage,
    DeadLetterGroups,
    Health,
    Id,
    OfOrganization,
    Statistics,
    TypeDescription,
    Types,
    Word,
)
from shared.registry import REGISTRY

router = LambdaFunctionUrlRouter()  # type: ignore[no-untyped-call]
Window = Annotated[
    int, Query(ge=60, le=figures.LONGEST_WINDOW, description="Seconds, of jobs accepted within them.")
]


@router.get(
    "/health",
    responses={200: {"description": "healthy or degraded"}, 503: {"description": "unhealthy"}},
    tags=["Figures"],
)
def get_health() -> Response[Health]:
    """How the queue does: 503 where an alarm would ring. Without an API key only `health` is told."""
    caller = current_or_none()
    measured = figures.health(None if caller is None else caller.organization_id)
    told = Health(health=measured.health) if caller is None else measured
    return Response(503 if measured.health == "unhealthy" else 200, JSON, told)


@router.get("/v1/statistics", tags=["Figures"])
def get_statistics(window: Window = figures.WINDOW, organization_id: OfOrganization = None) -> Statistics:
    """Counts and durations of the jobs accepted within a window."""
    return figures.statistics(current(), window, organization_id)


@router.get("/v1/dead-letters", tags=["Figures"])
def get_dead_letters(organization_id: OfOrganization = None) -> DeadLetterGroups:
    """The newest dead letters by what went wrong."""
    return figures.dead_letter_groups(current(), organization_id)


@router.get("/v1/types", tags=["Figures"])
def get_types() -> Types:
    """The job types, and the payload that each takes."""
    current()
    return _types()


@router.get("/v1/actions", tags=["Figures"])
def get_actions(
    target: Annotated[Word | None, Query(description="Of this job or schedule alone.")] = None,
    limit: Annotated[int, Query(ge=1, le=actions.MOST)] = actions.LIMIT,
    before: Annotated[Id | None, Query(description="What the page before answered as `next`.")] = None,
) -> ActionPage:
    """Who did what, latest first."""
    return actions.list_actions(current(), target=target, limit=limit, before=before)


@cache
def _types() -> Types:
    return Types(
        types=[
            TypeDescription(
                type=config.type,
                description=config.description,
                retries=config.retries,
                timeout=config.timeout,
                sensitive=config.sensitive,
                within_organization=config.within_organization,
                payload_schema=config.payload.model_json_schema(by_alias=True),
            )
            for config in REGISTRY.values()
        ]
    )
