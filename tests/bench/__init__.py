"""What `make bench` measures: the product beside something plain, in turns in one run, as ratios."""
