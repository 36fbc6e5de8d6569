"""The routes under /v1, health and the OpenAPI document."""
