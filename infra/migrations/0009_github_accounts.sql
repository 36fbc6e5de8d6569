-- Which organization a GitHub account is: events of its repositories and of its installation become that one's activity.
ALTER TABLE app.organizations ADD COLUMN github_account_id bigint UNIQUE;  -- GitHub's; a login may change hands
