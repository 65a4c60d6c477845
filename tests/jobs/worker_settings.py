"""The settings of a `run_workers` that shares the database of the test and runs the fake engine."""

import os

from config.settings import *  # noqa: F403
from config.settings import DATABASES

DATABASES["default"]["NAME"] = os.environ["WORKER_TEST_DATABASE"]
JOBS_ENGINE = f"tests.jobs.fake_engine.{os.environ['WORKER_TEST_ENGINE']}"
