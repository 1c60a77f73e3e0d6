"""What delivery needs of the world: one small protocol per neighbour. Adapters implement them; tests bring their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from slipway.contract.supply_chain import SupplyChain
from slipway.delivery.events import Event
from slipway.delivery.model.analysis import Answer, Comparison, Question
from slipway.delivery.model.backfill import Backfill
from slipway.delivery.model.cadence import AWS, Cadence
from slipway.delivery.model.colour import Colour, Weights
from slipway.delivery.model.credentials import LASTING, Credentials
from slipway.delivery.model.fitness import Fitness, FitnessNote, Rehearsed
from slipway.delivery.model.lease import Lease, Owner
from slipway.delivery.model.observation import BalancerState, Health, Pods
from slipway.delivery.model.owed import Owed
from slipway.delivery.model.provenance import Evidence
from slipway.delivery.model.release import Release, Revision
from slipway.delivery.model.rollout import Rollout
from slipway.delivery.model.route import Routes
from slipway.delivery.model.schema import Schema
from slipway.delivery.model.size import Room, Size
from slipway.delivery.model.target import RolloutSettings, Target
from slipway.delivery.model.wanted import ColourRelease, Wanted
from slipway.delivery.model.word import Topic, Word
from slipway.stack.result import StackResult


class Clock(Protocol):
    """Time, so that tests need not wait."""

    def now(self) -> datetime:
        """The time, with a zone."""
        ...

    def monotonic(self) -> float:
        """Seconds on this machine's own clock, which nobody sets: for spans, never to be compared with another machine's."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        ...

    def repeat(self, seconds: float, action: Callable[[], None]) -> Callable[[], None]:
        """Do this every so often beside everything else; the answer ends it."""
        ...


@dataclass(frozen=True, kw_only=True)
class Place:
    """One service in one environment: the ledger's unit."""

    environment: str
    service: str

    def __str__(self) -> str:
        return f"{self.service} in {self.environment}"


class Ledger(Protocol):
    """The ledger. Writes that take a lease fail with LeaseLostError once somebody else holds a newer one."""

    def ensure(self, place: Place) -> Wanted:
        """The wanted state, its first item made when there is none."""
        ...

    def wanted(self, place: Place) -> Wanted:
        """The wanted state; NotFoundError when the place was never made."""
        ...

    def write_wanted(self, place: Place, wanted: Wanted, lease: Lease) -> Wanted:
        """Write on top of `wanted.revision` and answer the state with the next revision."""
        ...

    def rollout(self, place: Place) -> Rollout | None:
        """The rollout under way, or the last one."""
        ...

    def write_rollout(self, place: Place, rollout: Rollout, lease: Lease) -> None:
        """Write the rollout with its journal."""
        ...

    def acquire(self, place: Place, owner: Owner, purpose: str, now: datetime) -> Lease | None:
        """The lease with a new fence, or None while another owner has it."""
        ...

    def take_over(self, place: Place, seen: Lease, owner: Owner, purpose: str, now: datetime) -> Lease | None:
        """Take the lease from `seen`; None when it was renewed or taken meanwhile."""
        ...

    def renew(self, place: Place, lease: Lease, now: datetime) -> Lease:
        """Keep the lease for another term."""
        ...

    def release_lease(self, place: Place, lease: Lease) -> None:
        """Give the lease back; one that was lost already is no error."""
        ...

    def lease(self, place: Place) -> Lease | None:
        """Who has the lease."""
        ...

    def put_release(self, release: Release) -> Release:
        """Keep a release; the one kept before under the same id wins, and is answered."""
        ...

    def release(self, service: str, release_id: str) -> Release:
        """A release by its id; NotFoundError otherwise."""
        ...

    def releases(self, service: str) -> Sequence[Release]:
        """All releases of a service, newest first."""
        ...

    def fitness(self, place: Place, digest: str) -> Fitness | None:
        """What was found out about a digest here; None: nothing."""
        ...

    def rejections(self, place: Place) -> Sequence[Fitness]:
        """Digests that are rejected here, the newest rejection first."""
        ...

    def mark_verified(self, place: Place, digest: str, note: FitnessNote, still: FitnessNote | None = None) -> None:
        """Note that a digest was verified here; a rejection is over with that, but for what is `still` rejected."""
        ...

    def mark_rejected(self, place: Place, digest: str, note: FitnessNote) -> None:
        """Note that a digest was rejected here."""
        ...

    def mark_rehearsed(self, place: Place, digest: str, rehearsed: Rehearsed) -> None:
        """Note how long the way back from a digest took here; the last rehearsal counts."""
        ...

    def lift_rejection(self, place: Place, digest: str, note: FitnessNote, still: FitnessNote | None = None) -> bool:
        """End a rejection, but for what is `still` rejected; False when there is none."""
        ...

    def history(self, place: Place, limit: int) -> Sequence[Rollout]:
        """Ended rollouts, newest first."""
        ...

    def is_kept(self, place: Place, rollout: Rollout) -> bool:
        """Whether an ended rollout is in the history, by its own end: `history` is in the order of clocks, which differ."""
        ...

    def put_history(self, place: Place, rollout: Rollout) -> None:
        """Keep an ended rollout; the same one twice is kept once."""
        ...

    def schema(self, place: Place) -> Schema:
        """The migrations applied in this place."""
        ...

    def write_schema(self, place: Place, schema: Schema, lease: Lease) -> None:
        """Note applied migrations."""
        ...

    def owed(self, place: Place) -> tuple[Owed, ...]:
        """Work that is left from rollouts that have ended."""
        ...

    def write_owed(self, place: Place, owed: Sequence[Owed], lease: Lease) -> None:
        """Write what is left."""
        ...

    def request_abort(self, place: Place, rollout_id: str, text: str) -> None:
        """Ask whoever runs this rollout to turn back."""
        ...

    def abort_request(self, place: Place, rollout_id: str) -> str | None:
        """What was asked, if it was asked of this rollout."""
        ...

    def say(self, place: Place, topic: Topic, word: Word) -> None:
        """Keep the last word on a topic. Needs no lease."""
        ...

    def said(self, place: Place, topic: Topic, rollout_id: str) -> Word | None:
        """The last word on a topic, if it is about this rollout."""
        ...

    def register(self, target: Target) -> None:
        """Remember where a place is, without its secrets, for ways back and for `status`."""
        ...

    def unregister(self, place: Place) -> None:
        """Forget where a place is; none is no error."""
        ...

    def target(self, place: Place) -> Target | None:
        """Where a place is; None: it was never released to, or destroyed since."""
        ...

    def targets(self) -> Sequence[Target]:
        """Every place that was released to and not destroyed since."""
        ...


class LoadBalancer(Protocol):
    """The live listener, its test route, and the targets behind them."""

    def read(self, *, test: bool = False, routes: bool = False) -> BalancerState:
        """The weights as the load balancer has them, with `test` the colour behind the test route, with `routes` those of rollouts."""
        ...

    def move(self, weights: Weights) -> None:
        """Ask for new weights; `read` tells when they hold."""
        ...

    def point_test(self, colour: Colour) -> None:
        """Ask for another colour behind the test route."""
        ...

    def set_routes(self, routes: Routes) -> None:
        """Make what is missing of these routes and take all others away that a rollout has made. OperationError when only some are."""
        ...

    def health(self, colour: Colour) -> Health:
        """The colour's targets; `expected` is 0."""
        ...


class Cluster(Protocol):
    """The Kubernetes cluster the service runs in."""

    def pods(self, colour: Colour) -> Pods | None:
        """The colour's Deployment; None: there is none."""
        ...

    def size(self, colour: Colour) -> Size | None:
        """How many pods the colour has, and may have; None: it runs nothing, or no autoscaler has it."""
        ...

    def keep(self, colour: Colour, pods: int) -> None:
        """Let the colour's autoscaler keep at least so many pods; `size` tells when there are so many."""
        ...

    def room(self, colour: Colour) -> Room | None:
        """What the nodes still take of the colour's pods; None: it runs nothing."""
        ...

    def make_users(self, release: ColourRelease, tell: Callable[[str], None]) -> None:
        """Make the database's users that the release logs in as, where there are to be any; again if need be. OperationError otherwise."""
        ...

    def migrate(self, release: ColourRelease, revisions: Sequence[Revision], tell: Callable[[str], None]) -> None:
        """Run the migrations up to and with the last one, once, after `make_users`.

        OperationError when they fail; NotBegunError where it is known that none of them was begun.
        """
        ...

    def backfill(self, revision: str, run: str) -> Backfill | None:
        """How far this run of a backfill is; None: it has no Job."""
        ...

    def start_backfill(self, release: ColourRelease, revision: str, run: str) -> None:
        """Start it, or let it go on where it has failed. Returns as soon as its Job is there."""
        ...


class Metrics(Protocol):
    """A source of measurements."""

    @property
    def source(self) -> str:
        """Its name in verdicts and settings."""
        ...

    @property
    def synthetic(self) -> bool:
        """Whether it counts requests of our own, which nobody misses where there are none."""
        ...

    def compare(self, candidate: Colour, live: Colour | None, since: datetime, until: datetime) -> Comparison:
        """Both colours over the same window."""
        ...


class Analyst(Protocol):
    """Whoever answers the entries of `rollout.analysis`."""

    def ask(self, questions: Sequence[Question]) -> Sequence[Answer]:
        """One answer for each question, in their order. Never raises for the world, and takes no longer than the entries allow."""
        ...


class Unasked:
    """An analyst who has no answer to anything."""

    def ask(self, questions: Sequence[Question]) -> Sequence[Answer]:
        """See `Analyst.ask`."""
        return [Answer(fault=f"nothing answers entries of type {question.entry.type}") for question in questions]


UNASKED = Unasked()


class Probe(Protocol):
    """Requests of our own."""

    def smoke(self, *, live: bool, colour: Colour, release: str, deadline_seconds: float) -> None:
        """Every smoke path answers 2xx and says it is `release`; OperationError with what it said instead."""
        ...


class Stack(Protocol):
    """The Pulumi stack, whoever runs it. Failures are OperationError, with what was done recorded in the state."""

    def preview(self) -> StackResult:
        """What `up` would do."""
        ...

    def up(self) -> StackResult:
        """Bring the world to what program and ledger say."""
        ...

    def refresh(self) -> StackResult:
        """Bring the state to what the world is."""
        ...

    def destroy(self) -> StackResult:
        """Remove everything."""
        ...

    def resources(self) -> int:
        """How many resources the state has beside the stack itself; 0 as well for a stack that does not exist. Makes and runs nothing."""
        ...

    def outputs(self) -> Mapping[str, Any]:
        """The outputs in plain text, secrets included: never to be logged. Empty: never brought up."""
        ...


@dataclass(frozen=True, kw_only=True)
class SourceFacts:
    """What the checkout says about the release that would be made of it."""

    version: str
    git_commit: str
    program_hash: str
    lock_hash: str
    config_hash: str
    policy_version: str
    revisions: tuple[Revision, ...]


class Source(Protocol):
    """The checkout."""

    def facts(self) -> SourceFacts:
        """Read and hash it; UsageError when migrations are missing a phase, or fork."""
        ...


class Attestations(Protocol):
    """Signed statements beside an image: its provenance and its bill of materials."""

    def attest(self, image: str, commit: str, demands: SupplyChain) -> Sequence[str]:
        """Sign what was just built and store it beside the image, unless it is there. Answers the packages without a known licence.

        OperationError when the image cannot be read, or nothing can be signed or stored.
        """
        ...

    def evidence(self, image: str, commit: str, demands: SupplyChain) -> Evidence:
        """What is proven about the image, built from `commit`. Never raises for the world: what cannot be asked is in it."""
        ...


class Notifier(Protocol):
    """Tells others. Never raises, never takes longer than its own bound."""

    def notify(self, name: str, event: Event, facts: Mapping[str, Any]) -> None:
        """Send one notification under its Argo-style name."""
        ...

    def flush(self) -> None:
        """Wait, bounded, for what is on its way."""
        ...


@dataclass(frozen=True, kw_only=True)
class World:
    """The neighbours of one target."""

    balancer: LoadBalancer
    cluster: Cluster
    metrics: tuple[Metrics, ...]
    probe: Probe
    notifier: Notifier
    analyst: Analyst = UNASKED


@dataclass(frozen=True, kw_only=True)
class Context:
    """Everything the service functions need; `wiring.build_context` makes it."""

    place: Place
    ledger: Ledger
    stack: Stack
    source: Source
    connect: Callable[[Target], World]
    attestations: Attestations
    clock: Clock
    owner: Owner
    owner_is_dead: Callable[[Owner], bool]
    """True only when this machine knows it: the process ran here and is gone."""
    progress: Callable[[Event], None]
    lease_wait_seconds: float = 0.0
    """How long to wait for another owner's lease before giving up with its name."""
    project_dir: Path = Path()
    declared: Callable[[], RolloutSettings | None] = lambda: None
    """The stack file's rollout settings, which the next `up` makes true; None: it has none."""
    demands: Callable[[], SupplyChain] = SupplyChain
    """The stack file's `slipway:supplyChain`."""
    credentials: Callable[[], Credentials] = lambda: LASTING
    account_id: str = ""
    """The AWS account of this environment, as its stack file says; empty: it does not say."""
    caller_account: Callable[[], str | None] = lambda: None
    """The account of the credentials in use; None where it cannot be told."""
    cadence: Cadence = AWS
    has_image: Callable[[str], bool] = lambda _image: True
    """Whether the registry has an image; True, too, when it cannot be told."""
