"""The sections of a pack: each reads its figures with Questions and says its answer as one sentence."""
