"""Each operation of pyrunc-init alone, seen from outside through /proc. Needs root."""
