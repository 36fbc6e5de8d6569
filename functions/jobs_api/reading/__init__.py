"""What is read: lists in pages, one job, figures. Each statement lies in `sql/` and only reads."""
