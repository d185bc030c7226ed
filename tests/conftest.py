"""Every test runs on looptime's virtual clock unless it says @pytest.mark.looptime(False).

Start servers and sessions inside the test body, not in async fixtures: the virtual clock runs only there.
"""
