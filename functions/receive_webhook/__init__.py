"""The receiver: other systems' events come in here, are verified and recorded, and become jobs."""
