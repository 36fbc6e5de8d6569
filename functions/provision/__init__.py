"""Answers CloudFormation for the template's custom resources: migrations, and schedules at QStash."""
