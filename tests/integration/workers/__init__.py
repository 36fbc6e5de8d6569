"""Each worker against the seeded application, a real Postgres and, where it stores files, S3 as moto serves it."""
