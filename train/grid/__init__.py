"""The search for the best mixture: trials of short training runs over one pool, and what they say together.

space ─► strategies (pure: finished rounds in, next trials out) ─► trials ─► loss matrix ─► law ─► best mix, report
"""
