-- outside a transaction: the indexes are built while jobs are written
-- Each is there for the list named beside it. What has only failed and cancelled jobs costs the others nothing.

-- list the dead letters, or the cancelled jobs, of a type
CREATE INDEX CONCURRENTLY job_executions_type_ended ON job_executions (job_type, status, created_at DESC)
    WHERE status IN ('failed', 'cancelled');
-- list an organization's jobs by status; its gauges
CREATE INDEX CONCURRENTLY job_executions_organization_status ON job_executions (organization_id, status, created_at DESC)
    WHERE organization_id IS NOT NULL AND status <> 'completed';
-- list a schedule's runs
CREATE INDEX CONCURRENTLY job_executions_schedule ON job_executions (schedule_id, created_at DESC)
    WHERE schedule_id IS NOT NULL;
-- find jobs by their idempotency key, of any type and organization
CREATE INDEX CONCURRENTLY job_executions_key ON job_executions (idempotency_key, created_at DESC)
    WHERE idempotency_key IS NOT NULL;
-- list a batch's members by and by; and all at once, for which it takes the place of job_executions_batch
CREATE INDEX CONCURRENTLY job_executions_members ON job_executions (batch_id, created_at DESC) WHERE batch_id IS NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS job_executions_batch;
