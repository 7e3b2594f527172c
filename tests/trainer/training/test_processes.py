import os
import signal
import subprocess
import sys
import time

import pytest

from trainer.errors import SettingError
from trainer.training.processes import KilledError, each

pytestmark = pytest.mark.train


def where(given: str, job: int) -> tuple[str, int, int, str]:
    """Return what it is given, and the process it runs in."""
    return given, job, os.getpid(), os.environ["TF_NUM_INTRAOP_THREADS"]


def fail_first(_: None, job: int) -> int:
    """Fail at the first job; the others take long."""
    if job == 0:
        raise SettingError("try another")
    time.sleep(600)
    return job


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two cores")
def test_jobs_are_done_side_by_side_in_their_order() -> None:
    """Each is given the same, and runs with one thread in another process than this."""
    done = list(each(where, "all", [1, 2, 3, 4]))
    assert [("all", job) for job in (1, 2, 3, 4)] == [one[:2] for one in done]
    assert os.getpid() not in {one[2] for one in done}
    assert {"1"} == {one[3] for one in done}


@pytest.mark.parametrize(("jobs", "at_once"), [([7], None), ([7, 8], 1)])
def test_one_at_a_time_is_done_here(
    jobs: list[int], at_once: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without another process."""
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "3")
    done = list(each(where, "all", jobs, at_once=at_once))
    assert [("all", job, os.getpid(), "3") for job in jobs] == done


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two cores")
def test_an_error_ends_the_others() -> None:
    """It is raised as it was, though another job would go on for minutes."""
    with pytest.raises(SettingError, match="try another"):
        list(each(fail_first, None, [0, 1]))


def end_here(_: None, job: int) -> int:
    """End as the kernel ends what takes too much memory."""
    os.kill(os.getpid(), signal.SIGKILL)
    return job


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two cores")
def test_a_process_that_was_killed() -> None:
    """It is not waited for."""
    with pytest.raises(KilledError, match="perhaps because memory ran out"):
        list(each(end_here, None, [0, 1]))


def test_what_tensorflow_tells_of_the_machine_is_not_passed_on() -> None:
    """Neither by this process nor by those that it starts."""
    code = (
        "from trainer.training.processes import each, quiet_tensorflow\n"
        "from tests.trainer.training.test_processes import where\n"
        "if __name__ == '__main__':\n"
        "    with quiet_tensorflow():\n"
        "        import tensorflow\n"
        "    list(each(where, 'all', [1, 2], at_once=2))\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120
    )
    assert (0, "", "") == (finished.returncode, finished.stdout, finished.stderr)
