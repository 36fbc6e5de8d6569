"""What an operator runs: `make deploy`, `make secrets`, `make doctor` and `make destroy`."""
