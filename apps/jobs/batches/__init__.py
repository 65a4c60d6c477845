"""Many jobs under one id: submitted little by little, in the lane that gives way, each item run once."""
