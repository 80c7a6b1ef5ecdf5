"""What happened so far in one execution, and what must follow. Pure: no clock, no dice, no I/O, no await."""
