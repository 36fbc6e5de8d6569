-- How far something has been read.
SELECT mark FROM reconcile_marks WHERE name = %(name)s
