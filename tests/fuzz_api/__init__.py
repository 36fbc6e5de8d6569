"""Generated requests against the OpenAPI document: see `requests.py`. `make fuzz-api` runs ten thousand of them."""
