UPDATE api_actions
SET outcome = %(outcome)s, target = coalesce(%(target)s, target), details = details || %(details)s,
    ended_at = clock_timestamp()
WHERE id = %(id)s
