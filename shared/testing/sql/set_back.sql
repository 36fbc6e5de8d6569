-- Time has passed: whatever happened since the test began lies so many seconds further back.
WITH moved AS (
    UPDATE job_executions
    SET created_at = created_at - make_interval(secs => %(seconds)s),
        updated_at = updated_at - make_interval(secs => %(seconds)s),
        not_before = not_before - make_interval(secs => %(seconds)s),
        publish_after = publish_after - make_interval(secs => %(seconds)s),
        published_at = published_at - make_interval(secs => %(seconds)s),
        deliver_by = deliver_by - make_interval(secs => %(seconds)s),
        lease_expires_at = lease_expires_at - make_interval(secs => %(seconds)s),
        started_at = started_at - make_interval(secs => %(seconds)s),
        completed_at = completed_at - make_interval(secs => %(seconds)s),
        failure_called_at = failure_called_at - make_interval(secs => %(seconds)s)
    WHERE id > %(since)s AND id <> ALL(%(other_than)s::bigint[])
    RETURNING id, batch_id
), batches AS (
    UPDATE job_batches
    SET created_at = created_at - make_interval(secs => %(seconds)s),
        fired_at = fired_at - make_interval(secs => %(seconds)s)
    WHERE id IN (SELECT batch_id FROM moved)
)
SELECT id FROM moved
