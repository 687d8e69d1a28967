"""``spikearm report``: what runs did, as one page that needs nothing but a browser.

:mod:`.run_data` reads run folders, each module named after a part of the page makes that part of them,
:mod:`.page` puts the parts together.
"""
