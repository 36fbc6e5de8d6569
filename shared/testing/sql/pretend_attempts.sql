-- So many attempts have been made, and failed: the next one is the test's.
UPDATE job_executions
SET status = 'retrying', attempt = %(attempts)s, error = 'an attempt that a test has left out'
WHERE job_id = %(job_id)s AND status = 'pending'
