-- Where a test begins: what is accepted from here on is its own. And whether a QStash has delivered to this database.
SELECT
    coalesce(max(id), 0) AS since,
    clock_timestamp() AS began,
    (SELECT endpoint FROM (SELECT endpoint FROM job_executions ORDER BY id DESC LIMIT 100) AS latest
        WHERE endpoint NOT LIKE %(ours)s LIMIT 1) AS delivered_to
FROM job_executions
