"""The local cloud, part by part."""
