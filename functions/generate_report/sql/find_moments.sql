-- When the days begin and end in the organization's time zone. Nothing later than the job's acceptance is looked at, so
-- that another attempt, or one after midnight, tells the same.
SELECT
    least(%(first)s::date::timestamp AT TIME ZONE %(time_zone)s, %(asked_at)s::timestamptz) AS starts_at,
    least((%(last)s::date + 1)::timestamp AT TIME ZONE %(time_zone)s, %(asked_at)s::timestamptz) AS ends_at
