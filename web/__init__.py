"""The page, part by part; behind it, `server` is what serves it and the REST API."""
