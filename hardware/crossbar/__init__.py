"""The memristive crossbar: a Nengo backend whose weights are conductances of simulated devices."""
