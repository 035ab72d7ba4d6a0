"""Mixture laws: from the losses of trial mixtures to predictions of unseen ones, and to the best one.

tables | space ─► fitting ─► evidence ─► models ─► ridge, loglinear, dmo, power, gp, trees
                     └─► law (JSON) ─► analysis, optimum ─► commands
"""
