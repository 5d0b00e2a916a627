"""The inside of a subscription: what live, replay and survey tell goes to each stream's sequencer,
and what the sequencers ask goes to the repairer. One thread; `now` is handed in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from broker.errors import ClientError, FrameError
from broker.frame import Frame, decode
from broker.jobview import JobView
from broker.topic import Stream, parse_topic
from subscribers.events import (
    Answered,
    Connected,
    Crashed,
    Disconnected,
    Event,
    Received,
    Replayed,
    Surveyed,
)
from subscribers.repair import Repairer
from subscribers.selection import Selection
from subscribers.sequencer import Sequencer, Start
from subscribers.stats import Budget, Stats
from subscribers.survey_clock import SurveyClock

_MOST_STREAMS: Final = 20_000
_MOST_LEFT: Final = 100_000  # positions of streams beyond those
_MOST_BROKERS: Final = 8
_MOST_COMPLAINTS: Final = 256


class Merge:
    """All streams of one subscription. With `learn_brokers`, heartbeats tell where journals are."""

    def __init__(
        self,
        wanted: Selection,
        start: Start,
        budget: Budget,
        stats: Stats,
        repairer: Repairer,
        heartbeat_interval: float,
        positions: Mapping[Stream, tuple[str, int]],
        *,
        learn_brokers: bool,
    ) -> None:
        self.connected = False
        self.lost = ""  # why it is not connected, once it is known
        self.unanswered = ""  # why a broker did not answer what it was asked last
        self._wanted = wanted
        self._start = start
        self._positions = dict(positions)  # of streams that nobody has told of yet
        self._budget = budget
        self._stats = stats
        self._repairer = repairer
        self._silence = 2 * heartbeat_interval
        self._learn = learn_brokers
        self._clock = SurveyClock(self._silence)
        self._streams: dict[Stream, Sequencer] = {}
        self._left: dict[Stream, tuple[str, int]] = {}  # where those were that had to make room
        self._heard: dict[Stream, float] = {}  # when; the longest silent first
        self._asked: set[tuple[Stream, str]] = set()
        self._complaints: set[tuple[Stream, str]] = set()
        self._surveyed = False  # every stream that comes up from now on is new

    def tick(self, now: float) -> float:
        """Do what is due; seconds until something is again."""
        self._clock.start(now)
        if self._clock.silence_check(now) and self._has_silent(now):
            self._clock.soon(now)
        if self._repairer.bases and self._clock.take(now):
            self._repairer.survey()
        return self._clock.wait(now) if self._repairer.bases else self._silence

    def survey_soon(self, now: float) -> None:
        """Ask the brokers where their streams stand: live frames may have been lost."""
        self._clock.soon(now)

    def handle(self, event: Event, now: float) -> list[Frame]:
        """One event; the frames to deliver for it."""
        match event:
            case Received():
                return self._received(event, now)
            case Replayed(question, frame, size):
                sequencer = self._stream(question.stream, now)
                if frame.kind == "gap":
                    return sequencer.settle(frame.epoch, frame.next, frame)
                return sequencer.feed(frame, size)
            case Answered():
                return self._answered(event, now)
            case Surveyed():
                return self._survey_came(event, now)
            case Connected():
                self._stats.reconnects += bool(self.lost)
                self.connected, self.lost = True, ""
                self._clock.soon(now)
            case Disconnected(problem):
                self.connected, self.lost = False, problem
            case Crashed(error):
                raise ClientError(500, f"a thread of the subscription failed: {error!r}") from error
        return []

    def _received(self, event: Received, now: float) -> list[Frame]:
        stream = parse_topic(event.topic)
        if stream is None or (stream not in self._streams and stream not in self._wanted):
            return []
        try:
            frame = decode(event.payload)
            if (frame.cluster, frame.job) != stream:
                raise FrameError(f"it is about {frame.cluster}/{frame.job}", event.payload)
        except FrameError as error:
            return self._complain(stream, error)
        sequencer = self._stream(stream, now)
        if frame.http and self._learn:
            self._learn_broker(frame.http.rstrip("/"), now)
        frames = sequencer.feed(frame, len(event.payload))
        self._ask(sequencer)
        return frames

    def _answered(self, event: Answered, now: float) -> list[Frame]:
        question = event.question
        stream, epoch, _, end, whole = question
        sequencer = self._stream(stream, now)
        self._asked.discard((stream, epoch))
        if event.unanswered:  # said with the gap; the next survey tells whether it still holds
            self.unanswered = event.problem
        frames: list[Frame] = []
        if not event.paused and end is None:
            frames = sequencer.answered(question, again=event.again)
        elif not event.paused and end is not None:
            why = _gap(stream, epoch, event.problem)
            frames = sequencer.settle(epoch, end, why, whole=whole)
        for epochs in event.epochs:
            sequencer.learn(epochs)
        self._ask(sequencer)
        return frames

    def _survey_came(self, event: Surveyed, now: float) -> list[Frame]:
        frames: list[Frame] = []
        for jobs in event.lists.values():
            for view in jobs.jobs:
                stream = Stream(view.cluster, view.job)
                if view.state == "skipped" or stream not in self._wanted:
                    continue
                new = stream not in self._streams
                over = (
                    new
                    and self._start == "live"
                    and stream not in self._positions
                    and stream not in self._left
                    and view.state == "ended"
                    and view.status != ""
                )
                sequencer = self._stream(stream, now)
                frames += sequencer.feed(_as_frame(view, over=over))
                self._ask(sequencer)
        self._clock.done(now, complete=not event.missing)
        self.unanswered = next(iter(event.missing.values()), "")
        if not event.missing:
            self._surveyed = True
            untold = [] if self._start == "live" else self._wanted.exact
            for stream in [*untold, *self._positions]:
                if stream not in self._streams:
                    sequencer = self._stream(stream, now)
                    sequencer.ask_from_start()
                    self._ask(sequencer)
        return frames

    def _ask(self, sequencer: Sequencer) -> None:
        for question in sequencer.questions():
            key = question.stream, question.epoch
            if key not in self._asked:
                self._asked.add(key)
                self._stats.replays += 1
                self._repairer.ask(question)

    def _stream(self, stream: Stream, now: float) -> Sequencer:
        self._heard.pop(stream, None)
        self._heard[stream] = now
        sequencer = self._streams.get(stream)
        if sequencer is None:
            if len(self._streams) >= _MOST_STREAMS:
                oldest = next(iter(self._heard))
                del self._heard[oldest]
                self._leave(oldest)
            at = self._left.pop(stream, None) or self._positions.pop(stream, None)
            start = "begin" if self._surveyed and self._is_near_end else self._start
            sequencer = Sequencer(stream, start, self._budget, self._stats, at)
            self._streams[stream] = sequencer
        return sequencer

    def _leave(self, stream: Stream) -> None:
        """Make room: of what waits nothing is kept, it is asked for when the stream is heard."""
        gone = self._streams.pop(stream)
        if (at := gone.reached) is not None:
            self._left[stream] = at
        if len(self._left) > _MOST_LEFT:
            del self._left[next(iter(self._left))]
        gone.release()

    @property
    def _is_near_end(self) -> bool:
        """Whether `start` counts from where a stream stands; one that is new has its first line to
        come, though others may be told first."""
        return self._start == "live" or (isinstance(self._start, int) and self._start < 0)

    def _has_silent(self, now: float) -> bool:
        for stream, heard in self._heard.items():
            if now - heard < self._silence:
                return False
            if not self._streams[stream].ended:
                return True
        return not self._heard

    def _learn_broker(self, base: str, now: float) -> None:
        bases = self._repairer.bases
        if base in bases or len(bases) >= _MOST_BROKERS:
            return
        if base.startswith(("http://", "https://")):
            self._repairer.add_brokers([base])
            self._clock.soon(now)

    def _complain(self, stream: Stream, error: FrameError) -> list[Frame]:
        self._stats.bad_frames += 1
        complaint = stream, error.message
        if complaint in self._complaints or len(self._complaints) >= _MOST_COMPLAINTS:
            return []
        self._complaints.add(complaint)
        message = f"a frame that cannot be read: {error.message}"
        return [Frame("error", *stream, 0, 0, code=error.status, message=message)]


def _as_frame(view: JobView, *, over: bool) -> Frame:
    """What a broker's list says of a stream, as the frame that would say it."""
    return Frame(
        "end" if over else "heartbeat",
        view.cluster,
        view.job,
        view.next,
        view.next,
        epoch=view.epoch,
        state="" if over else view.state,
        status=view.status,
        run=view.run,
        complete=view.complete,
    )


def _gap(stream: Stream, epoch: str, problem: str) -> Frame:
    message = problem or "no journal has these lines"
    return Frame("gap", *stream, 0, 0, epoch=epoch, reason="unreachable", message=message)
