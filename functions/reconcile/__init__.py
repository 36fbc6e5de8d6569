"""Every minute: publishes and heals what nobody else did."""
