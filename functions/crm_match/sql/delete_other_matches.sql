-- The agent's leads that the listing does not suit, or no longer.
DELETE FROM app.lead_matches AS known
WHERE known.organization_id = %(organization_id)s
    AND known.listing_id = %(listing_id)s
    AND known.agent_id = %(agent_id)s
    AND NOT EXISTS (
        SELECT FROM unnest(%(lead_ids)s::bigint[]) AS found(lead_id) WHERE found.lead_id = known.lead_id)
