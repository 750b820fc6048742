"""The sample week: appliances, what they write, ordinary life, and the stories in it."""
