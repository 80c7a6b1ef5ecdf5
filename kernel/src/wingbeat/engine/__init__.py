"""The only loop: inbox, machine, journal, perform. The one place with a clock."""
