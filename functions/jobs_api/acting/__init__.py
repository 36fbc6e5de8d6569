"""What callers do to jobs and schedules, within their rights and recorded. API and dashboard share it."""
