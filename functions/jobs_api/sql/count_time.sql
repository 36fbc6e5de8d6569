-- Once more in this minute; how often that makes.
INSERT INTO api_limits (counted, minute, times)
VALUES (%(counted)s, date_trunc('minute', clock_timestamp()), 1)
ON CONFLICT (counted, minute) DO UPDATE SET times = api_limits.times + 1
RETURNING times, minute
