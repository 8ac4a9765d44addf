"""The web server: waitress with limits; threads get only complete requests.

waitress reads requests and writes answers in one loop, and gives threads only complete requests.
This package adds a time limit for requests, bounds that resist abuse, refusals that reach their
sender, and a stop that lets open answers finish.
"""
