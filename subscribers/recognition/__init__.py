"""What a line is: its level, its worker, whether it belongs to a traceback. Pure, and one for all
subscribers: the page, `tail` and the alerts see the same.
"""
