"""Agentic tasks: one jailed CLI for each, with a workspace of its own and exactly what was granted.

`spec` of a task in, `Outcome` out (`run`); what the CLI says (`frames`), how it is launched (`launch`), where it works
(`room`), what may leave it (`admission`, `tab`), and what it may call (`gate`).
"""
