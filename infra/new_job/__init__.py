"""`make new-job NAME=send_sms`: all that a new job type takes, written at once and green at once.

What is to be written is planned first, from the files as they are, and read back before any file is touched. A place that
has the job type already is left as it is.
"""
