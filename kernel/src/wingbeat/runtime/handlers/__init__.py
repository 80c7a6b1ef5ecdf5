"""Reading and writing of heavy values; each module imports its library only when it is used."""
