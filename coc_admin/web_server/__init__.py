"""The web server: waitress, which takes whole requests before a thread sees them, with limits.

waitress reads requests and writes answers in one loop, and gives threads whole requests only. What
is added here: a time limit for a request, bounds that hold when somebody wants to use them up,
refusals that reach their sender, and a stop that lets answers under way end.
"""
