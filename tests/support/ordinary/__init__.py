"""Twelve devices, the site around them, and an ordinary week of theirs."""
