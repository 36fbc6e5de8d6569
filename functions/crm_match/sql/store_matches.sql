-- Matches as they are now; those come back that are new or have changed, the others stay untouched.
INSERT INTO app.lead_matches AS known (organization_id, listing_id, lead_id, agent_id, score, reasons, job_id)
SELECT %(organization_id)s, %(listing_id)s, found.lead_id, %(agent_id)s, found.score, found.reasons, %(job_id)s
FROM jsonb_to_recordset(%(matches)s) AS found(lead_id bigint, score smallint, reasons jsonb)
ON CONFLICT (listing_id, lead_id) DO UPDATE
SET agent_id = excluded.agent_id, score = excluded.score, reasons = excluded.reasons, job_id = excluded.job_id
WHERE (known.agent_id, known.score, known.reasons) IS DISTINCT FROM (excluded.agent_id, excluded.score, excluded.reasons)
RETURNING score
