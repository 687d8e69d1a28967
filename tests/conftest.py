"""For all tests."""

import nengo

# Nengo keeps solved decoders in the user's cache folder, behind a lock: tests that run side by side would
# wait for one another, and leave files behind.
nengo.rc.set("decoder_cache", "enabled", "False")
