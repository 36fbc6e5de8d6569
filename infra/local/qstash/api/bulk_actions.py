"""What was done to many messages at once."""

from infra.local.qstash.api.calls import Call, Reply
from infra.local.qstash.bulk_actions import BulkAction
from infra.local.qstash.errors import Refused
from infra.local.qstash.records import milliseconds


def list_actions(call: Call) -> Reply:
    """`GET /v2/bulkActions`: newest first."""
    return Reply(200, [_action_json(action) for action in call.account.actions.all()])


def get_action(call: Call) -> Reply:
    """`GET /v2/bulkActions/{id}`."""
    action = call.account.actions.get(call.argument)
    if action is None:
        raise Refused(404, f"bulk action {ascii(call.argument)[1:-1]} not found")
    return Reply(200, _action_json(action))


def _action_json(action: BulkAction) -> dict[str, object]:
    done_at = milliseconds(action.created_at)
    return {
        "actionId": action.id,
        "kind": action.kind,
        "state": "FINISHED",
        "total": action.total,
        "processed": action.total,
        "createdAt": done_at,
        "completedAt": done_at,
        "filter": action.filter,
    }
