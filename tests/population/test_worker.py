"""A worker gives an outcome for each study, and for every error its cause."""

from __future__ import annotations

import os
import threading
from multiprocessing import Pipe

import pytest
from stub_works import MakeStub, studies

from cinema_cmr.core.errors import WeightsError
from cinema_cmr.population.worker import Failure, WorkerLimits, work_until_closed


@pytest.mark.filterwarnings("ignore")
def test_it_says_that_it_is_ready_and_answers_until_it_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cinema_cmr.population.worker.signal.signal", lambda *_: None)  # of this very process
    ours, theirs = Pipe()
    arguments = (theirs, MakeStub(), WorkerLimits(), os.getppid())
    thread = threading.Thread(target=work_until_closed, args=arguments)
    thread.start()
    assert ours.recv() is None
    replies = []
    for study in studies("good-14", "broken-1", "defect-1"):
        ours.send(study)
        replies.append(ours.recv())
    ours.close()
    thread.join(5)
    assert not thread.is_alive()
    assert replies[0].parts.record.measurements[0].value == 102.0
    assert [reply.failure and reply.failure.cause for reply in replies] == [None, "input", "error"]


def test_a_supervisor_that_is_gone_ends_it_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cinema_cmr.population.worker.signal.signal", lambda *_: None)
    ours, theirs = Pipe()
    ours.send(*studies("good-14"))
    done = threading.Event()

    def work(study: object) -> object:
        ours.close()  # while the study is worked on
        done.set()
        return Failure(cause="input", reason="", exit_code=3)

    work_until_closed(theirs, lambda: work, WorkerLimits(), os.getppid())  # type: ignore[arg-type,return-value]
    assert done.is_set()


def test_an_error_of_the_models_is_its_first_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cinema_cmr.population.worker.signal.signal", lambda *_: None)
    ours, theirs = Pipe()
    work_until_closed(theirs, MakeStub("no such model"), WorkerLimits(), os.getppid())
    assert isinstance(ours.recv(), WeightsError)
