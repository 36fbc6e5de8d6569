-- What was done most.
SELECT action, count(*) AS times, count(DISTINCT user_id) AS users, count(*) OVER () AS total
FROM app.activity_logs
WHERE organization_id = %(organization_id)s AND occurred_at >= %(starts_at)s AND occurred_at < %(ends_at)s
GROUP BY action
ORDER BY times DESC, action
LIMIT %(limit)s
