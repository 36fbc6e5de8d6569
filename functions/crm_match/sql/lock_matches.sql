-- One run at a time for a listing: two at once could lock the same matches in different orders.
SELECT pg_advisory_xact_lock(hashtextextended('crm-match', %(listing_id)s))
