"""The test harness: real processes, real servers, real databases; no mocks of the CLI."""
