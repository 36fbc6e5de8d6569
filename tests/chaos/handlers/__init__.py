"""What runs in the functions' processes: the chaos worker, and the product's functions under a clock that is off."""
