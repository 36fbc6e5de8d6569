"""The local cloud: Postgres, QStash, Lambda, mailbox and AWS stand-ins on one machine."""
