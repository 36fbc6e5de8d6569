-- Read as far as this; several sweeps at once never set it back.
INSERT INTO reconcile_marks (name, mark) VALUES (%(name)s, %(mark)s)
ON CONFLICT (name) DO UPDATE
SET mark = greatest(reconcile_marks.mark, excluded.mark), updated_at = clock_timestamp()
