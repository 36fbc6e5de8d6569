-- Where a publication went: a job whose function has moved since is given back.
ALTER TABLE job_executions ADD COLUMN endpoint text;
