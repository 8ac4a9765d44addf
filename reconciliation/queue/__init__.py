"""The ground floor of background work: enqueue, leases, heartbeats, failed tasks."""
