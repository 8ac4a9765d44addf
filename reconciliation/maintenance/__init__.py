"""The roof: schedules, the sweep, the integrity check, repair, retention."""
