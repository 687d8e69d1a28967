"""``spikearm logs export``: a run's log in the formats of others."""
