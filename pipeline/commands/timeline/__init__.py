"""``har-timeline``: what somebody did, of recordings that are already there."""
