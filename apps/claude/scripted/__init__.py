"""A scripted Messages API: the real CLI and the real SDKs talk to it, no account and no network needed.

It is what `--demo`, the tests and the benchmarks run against. `python -m apps.claude.scripted` starts it;
`ScriptedModel` and `ScriptedThread` in `server` start it in-process. What it answers is told by directives in the
prompt (`directives`).
"""
