"""What was done to many messages at once."""

from ..bulk_actions import BulkAction
from ..errors import Refused
from ..records import milliseconds
from .calls import Call, Reply


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
