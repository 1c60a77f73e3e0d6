"""A world in memory that a rollout can be rehearsed in, in milliseconds: for tests, and for people who extend delivery.

True to the real one in what delivery relies on: writes are fenced and conditional, `up` follows the ledger, the load balancer answers
what it was told with a lag, an `up` follows the ledger as it was when it began, pods become healthy some time after `up`, error
ratios depend on who has the traffic. The world can be made worse than the real one, and keeps a list of the `harm` done. Not simulated:
capacity, connections, draining, DNS, AWS's own limits; integration and end-to-end tests are there for those.
"""
