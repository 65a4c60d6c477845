"""Which model answers a request that asks for `auto`: a scorer whose every weight can be read and edited."""
