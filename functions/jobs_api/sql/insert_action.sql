-- Before it is done, so that what dies under way is known too.
INSERT INTO api_actions (key_name, organization_id, via, source_ip, action, target, details)
VALUES (%(key_name)s, %(organization_id)s, %(via)s, %(source_ip)s, %(action)s, %(target)s, %(details)s)
RETURNING id
