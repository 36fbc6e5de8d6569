"""QStash's failure callback: what becomes of a job whose message QStash has given up."""
