"""Answers as AWS does for a URL that lacks a permission."""


def handler(event: object, context: object) -> dict[str, object]:
    return {"statusCode": 403, "body": '{"Message": "Forbidden"}'}
