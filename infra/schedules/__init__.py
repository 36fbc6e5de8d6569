"""The schedules that template.yaml declares, brought to QStash: by CloudFormation at a deploy, or by `make schedules`."""
