-- outside a transaction: the indexes are built while jobs are written
-- list the jobs that a job has enqueued
CREATE INDEX CONCURRENTLY job_executions_children ON job_executions (parent_job_id, created_at DESC)
    WHERE parent_job_id IS NOT NULL;
-- list an organization's batches: those whose completion is its job
CREATE INDEX CONCURRENTLY job_batches_organization ON job_batches (((then_job ->> 'organization_id')::bigint), id DESC)
    WHERE (then_job ->> 'organization_id')::bigint IS NOT NULL;
-- cleanup-old-data: notes of what was done that are past their retention
CREATE INDEX CONCURRENTLY api_actions_at ON api_actions (at);
