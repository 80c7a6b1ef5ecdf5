"""The process executor: attempts as processes of this machine, forked from warm parents, adopted by the next kernel."""
