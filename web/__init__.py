"""What app.py is made of: the page's parts, and the server's limits, errors and startup."""
