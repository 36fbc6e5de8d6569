"""The test kit, on one database: each test leaves it as it was."""
