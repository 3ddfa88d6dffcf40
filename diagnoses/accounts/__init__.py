"""Who is there: signing in, second factors, how long a session lasts."""
