"""A shop's back office: a small web service with durable workflows inside."""
