"""How a task reaches the world: a proxy in the worker's own loop, behind a loopback port of the task's jail.

What must not be simplified away: docs/decisions/the-network-of-a-task.md.
"""
