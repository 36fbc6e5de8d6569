"""The official SDKs against our local QStash."""
