"""What the server refuses, and with which words."""


class Refused(Exception):
    """The request cannot be served: `status` is the HTTP status, `text` goes to the caller as `{"error": text}`."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status
        self.text = text


class QuotaExceeded(Refused):
    """A quota of the account forbids the request. A batch with such an item is refused as a whole."""

    def __init__(self, text: str) -> None:
        super().__init__(412, text)
