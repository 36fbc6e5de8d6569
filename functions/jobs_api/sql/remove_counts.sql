DELETE FROM api_limits WHERE minute < %(before)s
