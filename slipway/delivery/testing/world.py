"""One environment in memory: stack, load balancer, pods, database, metrics and probes, all following one ledger and one clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from slipway.contract.colour_settings import ColourSettings
from slipway.delivery.errors import NotBegunError
from slipway.delivery.events import Event
from slipway.delivery.model.analysis import Answer, Comparison, Question, Sample
from slipway.delivery.model.backfill import Backfill
from slipway.delivery.model.colour import Colour, Weights
from slipway.delivery.model.lease import Owner
from slipway.delivery.model.observation import BalancerState, Health
from slipway.delivery.model.release import Login, Revision
from slipway.delivery.model.route import NO_ROUTES, Routes
from slipway.delivery.model.size import Room, Size
from slipway.delivery.model.wanted import ColourRelease
from slipway.delivery.ports import Ledger, Place, Pods, StackResult, World
from slipway.delivery.testing.analyst import SimulatedAnalyst
from slipway.delivery.testing.backfills import SimulatedBackfills
from slipway.delivery.testing.clock import ManualClock
from slipway.delivery.testing.counts import PublishedCounts, WeightsHistory
from slipway.delivery.testing.pods import SimulatedPods
from slipway.errors import LockedError, OperationError

_LOGIN = {"caConfigMap": "orders-database-ca", "migrations": "orders-migrations", "roles": "orders-roles"}


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """How a release behaves once it runs."""

    error_ratio: float = 0.0
    slow_ratio: float = 0.0
    """Answers slower than any limit."""
    healthy: bool = True
    trouble: str = ""
    """What the cluster says of its pods while they are not ready."""
    crash_loop: bool = False
    """Its pods end again and again."""
    smoke_fault: str = ""
    analysis: Mapping[str, Answer] = field(default_factory=dict[str, Answer])
    """What entries of `rollout.analysis` are answered, by name; a good answer where nothing is named."""


@dataclass(kw_only=True)
class SimulatedEnvironment:
    """The state of the simulated world and the adapters onto it. Public fields are knobs; change them at any time."""

    place: Place
    ledger: Ledger
    clock: ManualClock
    rollout: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The stack's `rollout` settings, in the output's own camelCase."""
    supply_chain: Mapping[str, Any] = field(default_factory=dict[str, Any])
    image: str | None = None
    """What the stack builds; None: it takes images from upstream."""
    settings: ColourSettings | None = field(default_factory=lambda: ColourSettings(template='{"memory": "192Mi"}'))
    """Of the stack file, for pods; None: its program says nothing of them."""
    behaviour: dict[str, Behaviour] = field(default_factory=dict[str, Behaviour])
    """By release id or by version; releases not named behave well."""
    expired: set[str] = field(default_factory=set[str])
    """Images that the registry no longer has: their pods do not start."""
    requests_per_second: float = 50.0
    startup_seconds: float = 2.0
    weight_lag_seconds: float = 0.4
    """From the asking to where the load balancer's control plane confirms it."""
    nodes_lag_seconds: float = 0.0
    """From there to where its nodes have it: until then they send requests as before."""
    published: PublishedCounts | None = None
    """How the metric store counts; None: as of now, and to the second."""
    up_seconds: float = 1.0
    up_fault: str = ""
    failing_ups: int = 0
    """So many of the next `up`s that would bring a release up fail before they do."""
    migration_fault: str = ""
    failing_migrations: int = 0
    """So many of the next Jobs lose their connection, and have done nothing."""
    failing_revision: str = ""
    """The migrations before this one run, and it fails."""
    smoke_seconds: float = 0.0
    """How long a smoke test takes that passes."""
    migration_seconds: float = 0.0
    """How long the Job takes; whoever asked for it may be gone by then."""
    users_fault: str = ""
    """Why no Job of migrations is even asked for."""
    balancer_fault: str = ""
    forgotten_moves: int = 0
    """So many of the next weight changes are accepted, and do nothing, nor does what was on its way."""
    answer_seconds: float = 0.0
    """How long the load balancer takes to answer."""
    running: dict[Colour, tuple[ColourRelease, datetime]] = field(
        default_factory=dict[Colour, tuple[ColourRelease, datetime]]
    )
    """What really runs, and since when."""
    pods: SimulatedPods = field(default_factory=SimulatedPods)
    """How many of each colour, and what they can answer."""
    weights: Weights = field(default_factory=lambda: Weights(blue=100, green=0))
    test: Colour = Colour.GREEN
    routes: Routes = NO_ROUTES
    """Rules that rollouts have made."""
    routes_fault: str = ""
    """Why the rules cannot be read."""
    forgotten_routes: int = 0
    """So many of the next changes of the routes fail half-way: one rule less is made than was asked for."""
    backfills: SimulatedBackfills = field(default_factory=SimulatedBackfills)
    applied: list[str] = field(default_factory=list[str])
    """Migrations run, in order, repetitions included."""
    tokens: bool = False
    """The program offers that releases log in to the database with tokens."""
    users: list[str] = field(default_factory=list[str])
    """Releases whose database users were made, repetitions included."""
    ups: int = 0
    exists: bool = False
    moves: list[Weights] = field(default_factory=list[Weights])
    """Every weight change asked of the load balancer."""
    harm: list[str] = field(default_factory=list[str])
    """What must never happen, and did: traffic lost, two owners at once."""
    locked: bool = False
    """An `up` is under way."""
    notifications: list[str] = field(default_factory=list[str])
    history: WeightsHistory = field(default_factory=WeightsHistory)
    _asked: list[tuple[datetime, Weights]] = field(default_factory=list[tuple[datetime, Weights]])
    _routed_until: dict[Colour | None, datetime] = field(default_factory=dict[Colour | None, datetime])

    def world(self, owner: Owner | None = None) -> World:
        """The adapters, as `owner` has them."""
        return World(
            balancer=_Balancer(self, owner),
            cluster=_Cluster(self),
            metrics=(_Metrics(self),),
            probe=_Probe(self),
            notifier=_Notifier(self),
            analyst=SimulatedAnalyst(self._answer),
        )

    def outputs(self) -> Mapping[str, Any]:
        """The stack's outputs; none before the first `up`."""
        if not self.exists:
            return {}
        place = f"{self.place.environment}/{self.place.service}"
        return {
            "delivery": {
                "environment": self.place.environment,
                "service": self.place.service,
                "region": "us-east-1",
                "ledgerTable": "slipway-ledger",
                "cluster": {"name": f"{self.place.service}-{self.place.environment}", "namespace": self.place.service},
                "loadBalancer": {
                    "arn": f"arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/{place}",
                    "dnsName": "127.0.10.1",
                    "url": "http://127.0.10.1",
                    "listenerArn": f"listener/{place}/live",
                    "testRuleArn": f"listener-rule/{place}/test",
                    "targetGroups": {"blue": f"targetgroup/{place}/blue", "green": f"targetgroup/{place}/green"},
                },
                "replicas": {"minimum": self.pods.minimum, "maximum": self.pods.maximum},
                "deployments": {"blue": "orders-blue", "green": "orders-green"},
                "databaseSecretName": "orders-database",
                "databaseLogin": _LOGIN if self.tokens else None,
                "image": {"repository": "registry/orders", "reference": self.image} if self.image else None,
                "colourSettings": self.settings.model_dump(by_alias=True) if self.settings else None,
                "rollout": dict(self.rollout),
                "supplyChain": dict(self.supply_chain),
            }
        }

    def healthy(self, colour: Colour) -> bool:
        """Whether the colour's pods answer."""
        if colour not in self.running:
            return False
        release, since = self.running[colour]
        ready = self.clock.now() >= since + timedelta(seconds=self.startup_seconds)
        return ready and release.image not in self.expired and self.behaviour_of(release).healthy

    def behaviour_of(self, release: ColourRelease) -> Behaviour:
        """How a release behaves."""
        return self.behaviour.get(release.release) or self.behaviour.get(release.version) or Behaviour()

    def _answer(self, question: Question) -> Answer | None:
        running = self.running.get(question.subject.colour)
        return self.behaviour_of(running[0]).analysis.get(question.entry.name) if running else None

    def settle_weights(self) -> None:
        """Weights asked for hold once their lag is over, and pods follow the traffic."""
        self.pass_time()
        while self._asked and self._asked[0][0] <= self.clock.now():
            at, self.weights = self._asked.pop(0)
            self.history.note(at, self.weights)
            self.pass_time()

    def pass_time(self) -> None:
        """What pods and autoscalers did since somebody looked."""
        self.pods.startup_seconds = self.startup_seconds
        self.pods.follow(self.clock.now(), self.running, self.weights, self.requests_per_second)

    def ready_pods(self, colour: Colour) -> int:
        """Pods of a colour that answer."""
        self.pass_time()
        return self.pods.ready(colour, self.clock.now()) if self.healthy(colour) else 0

    def ask_weights(self, weights: Weights) -> None:
        """Change the weights, after the lag."""
        if self.balancer_fault:
            raise OperationError(self.balancer_fault)
        self.moves.append(weights)
        if self.forgotten_moves:
            self.forgotten_moves -= 1
            self._asked.clear()  # it stood in the place of what was on its way: no change overtakes a later one
            return
        if weights in (asked for _, asked in self._asked):
            return  # asked again, it is not later for that
        self._asked = [(self.clock.now() + timedelta(seconds=self.weight_lag_seconds), weights)]

    @staticmethod
    def _with_settings(release: ColourRelease | None, settings: ColourSettings | None) -> ColourRelease | None:
        """What the program makes of a colour: its own settings, or else the stack file's."""
        return replace(release, settings=release.settings or settings) if release else None

    def converge(self) -> StackResult:
        """What `up` does: everything follows the ledger, as it was when the `up` began. Weights are set when the listener is made."""
        if self.locked:
            raise LockedError("the stack is locked by another `up`")
        self.locked = True
        wanted, settings = self.ledger.wanted(self.place), self.settings
        try:
            self.clock.sleep(self.up_seconds)
        finally:
            self.locked = False
        self.ups += 1
        if self.up_fault:
            raise OperationError(self.up_fault)
        if not self.exists:
            self.exists, self.weights = True, wanted.weights
            self.history.note(self.clock.now(), self.weights)
        self.settle_weights()
        if self.failing_ups and any(self.running.get(each, (None,))[0] != it for each, it in wanted.releases().items()):
            self.failing_ups -= 1
            raise OperationError("quota exceeded")
        for colour in Colour:
            release = self._with_settings(wanted.colour(colour), settings)
            if colour in self.running and self.running[colour][0] != release and (used := self._use_of(colour)):
                self.harm.append(f"{colour} is replaced while {used}")
            if release and release.login is Login.TOKENS and not self.users:
                self.harm.append(f"{colour} runs a release that cannot log in: nothing has made its database users")
            if release is None:
                self.running.pop(colour, None)
            elif colour not in self.running or self.running[colour][0] != release:
                self.running[colour] = (release, self.clock.now())
        self.pass_time()
        for colour in self.running:
            floor = wanted.floors.get(colour)
            self.pods.declare(
                colour, floor.pods if floor and (floor.until is None or self.clock.now() < floor.until) else 0
            )
        self.test = wanted.test
        return StackResult(changes={"same": 1}, seconds=self.up_seconds)

    def set_routes(self, routes: Routes) -> None:
        """Change the rules. People's requests must not go to a colour that does not answer."""
        if self.balancer_fault:
            raise OperationError(self.balancer_fault)
        forgotten = self.forgotten_routes > 0
        self.forgotten_routes -= forgotten
        made = frozenset(sorted(routes, key=lambda each: each.match)[forgotten:])
        for colour in {each.colour for each in made - self.routes if each.colour}:
            if not self.healthy(colour):
                self.harm.append(f"people are sent to {colour}, which does not answer")
        for route in self.routes - made:
            self._routed_until[route.colour] = self.clock.now()
        self.routes = made
        if forgotten:
            raise OperationError("rule limit reached")

    def _use_of(self, colour: Colour) -> str:
        """How requests still come to the colour; "": none do."""
        if self.weights.of(colour):
            return f"it has {self.weights.of(colour)} % of the traffic"
        if any(route.colour is colour for route in self.routes):
            return "routes lead to it"
        now, lag = self.clock.now(), timedelta(seconds=self.nodes_lag_seconds)
        until = self._routed_until.get(colour)
        if self.history.share_seconds(colour, now - lag, now) > 0 or (until and now < until + lag):
            return "nodes of the load balancer send requests to it"
        return ""


class SimulatedStack:
    """Implements `ports.Stack`."""

    def __init__(self, environment: SimulatedEnvironment) -> None:
        self._environment = environment

    def preview(self) -> StackResult:
        """See `Stack.preview`."""
        return StackResult(changes={"same": 1})

    def up(self) -> StackResult:
        """See `Stack.up`."""
        return self._environment.converge()

    def refresh(self) -> StackResult:
        """See `Stack.refresh`."""
        return StackResult(changes={"same": 1})

    def destroy(self) -> StackResult:
        """See `Stack.destroy`."""
        self._environment.running.clear()
        self._environment.exists = False
        return StackResult(changes={"delete": 1})

    def resources(self) -> int:
        """See `Stack.resources`."""
        return int(self._environment.exists)

    def outputs(self) -> Mapping[str, Any]:
        """See `Stack.outputs`."""
        return self._environment.outputs()


class _Balancer:
    def __init__(self, environment: SimulatedEnvironment, owner: Owner | None) -> None:
        self._environment = environment
        self._owner = owner

    def read(self, *, test: bool = False, routes: bool = False) -> BalancerState:
        self._environment.clock.sleep(self._environment.answer_seconds)
        if fault := self._environment.balancer_fault or (routes and self._environment.routes_fault):
            raise OperationError(fault)
        self._environment.settle_weights()
        return BalancerState(
            weights=self._environment.weights,
            test=self._environment.test if test else None,
            routes=self._environment.routes if routes else None,
        )

    def move(self, weights: Weights) -> None:
        self._expect_lease()
        self._environment.ask_weights(weights)

    def set_routes(self, routes: Routes) -> None:
        self._expect_lease()
        self._environment.set_routes(routes)

    def _expect_lease(self) -> None:
        lease = self._environment.ledger.lease(self._environment.place)
        if self._owner and (lease is None or lease.owner != self._owner):
            self._environment.harm.append(f"{self._owner.name} moves traffic without the lease")

    def point_test(self, colour: Colour) -> None:
        self._environment.test = colour

    def health(self, colour: Colour) -> Health:
        healthy = self._environment.ready_pods(colour)
        dead = colour in self._environment.running and not self._environment.healthy(colour)
        return Health(healthy=healthy, unhealthy=self._environment.pods.wanted(colour) if dead else 0)


class _Cluster:
    def __init__(self, environment: SimulatedEnvironment) -> None:
        self._environment = environment

    def pods(self, colour: Colour) -> Pods | None:
        self._answer()
        if colour not in self._environment.running:
            return None
        running = self._environment.running[colour][0]
        ready, wanted = self._environment.ready_pods(colour), self._environment.pods.wanted(colour)
        starting = Behaviour() if ready == wanted else self._environment.behaviour_of(running)
        return Pods(
            wanted=wanted,
            ready=ready == wanted,
            release=running.release,
            trouble=starting.trouble,
            crash_loop=starting.crash_loop,
        )

    def size(self, colour: Colour) -> Size | None:
        self._answer()
        found = self._environment.pods.size(colour, self._environment.clock.now())
        return replace(found, ready=self._environment.ready_pods(colour)) if found else None

    def keep(self, colour: Colour, pods: int) -> None:
        self._answer()
        wanted = self._environment.ledger.wanted(self._environment.place)
        floor = wanted.floors.get(colour)
        if pods != self._environment.pods.minimum and (floor is None or floor.pods != pods):
            self._environment.harm.append(f"{pods} pods of {colour} are asked for before the ledger says so")
        self._environment.pods.keep(colour, pods)

    def room(self, colour: Colour) -> Room | None:
        self._answer()
        return self._environment.pods.see_room() if colour in self._environment.running else None

    def _answer(self) -> None:
        self._environment.pass_time()
        if self._environment.pods.fault:
            raise OperationError(self._environment.pods.fault)

    def make_users(self, release: ColourRelease, tell: Callable[[str], None]) -> None:
        if release.login is Login.TOKENS:
            tell(f"users of {release.version} log in with tokens")
            self._environment.users.append(release.release)

    def migrate(self, release: ColourRelease, revisions: Sequence[Revision], tell: Callable[[str], None]) -> None:
        if self._environment.migration_fault:
            raise OperationError(self._environment.migration_fault)
        if self._environment.failing_migrations:
            self._environment.failing_migrations -= 1
            raise OperationError("the connection to the database was lost")
        if self._environment.users_fault:
            raise NotBegunError(self._environment.users_fault)
        if self._environment.migration_seconds:
            self._environment.clock.sleep(self._environment.migration_seconds)
        for revision in revisions:
            if revision.id == self._environment.failing_revision:
                raise OperationError(f"{revision.id}: column discount contains null values")
            tell(f"Running upgrade -> {revision.id} with {release.version}")
            self._environment.applied.append(revision.id)

    def backfill(self, revision: str, run: str) -> Backfill | None:
        self._answer()
        return self._environment.backfills.see(revision, run, self._environment.clock.now())

    def start_backfill(self, release: ColourRelease, revision: str, run: str) -> None:
        del release
        self._answer()
        if revision not in self._environment.applied:
            self._environment.harm.append(f"backfill {revision} runs before its migration")
        self._environment.backfills.start(revision, run, self._environment.clock.now())


class _Metrics:
    source, synthetic = "simulation", False

    def __init__(self, environment: SimulatedEnvironment) -> None:
        self._environment = environment

    def compare(self, candidate: Colour, live: Colour | None, since: datetime, until: datetime) -> Comparison:
        if counts := self._environment.published:
            return Comparison(
                source=self.source,
                candidate=self._published(counts, candidate, since, until),
                live=self._published(counts, live, since, until) if live else None,
            )
        seconds = (until - since).total_seconds()
        peer = self._sample(live, seconds) if live else None
        return Comparison(source=self.source, candidate=self._sample(candidate, seconds), live=peer)

    def _published(self, counts: PublishedCounts, colour: Colour, since: datetime, until: datetime) -> Sample:
        world = self._environment
        world.settle_weights()

        def requests(begin: datetime, end: datetime) -> float:
            return world.requests_per_second * world.history.share_seconds(colour, begin, end)

        running = world.running.get(colour)
        errors = world.behaviour_of(running[0]).error_ratio if running else 0.0
        return counts.sample(requests, errors, (since, until), world.clock.now())

    def _sample(self, colour: Colour, seconds: float) -> Sample:
        world = self._environment
        share = world.weights.of(colour) / 100
        requests = int(world.requests_per_second * seconds * share)
        if not requests or colour not in world.running:
            return Sample(requests=0, errors=0)
        behaviour = world.behaviour_of(world.running[colour][0])
        world.pass_time()
        overload = world.pods.overload(colour, world.clock.now(), world.weights, world.requests_per_second)
        return Sample(
            requests=requests,
            errors=int(requests * max(behaviour.error_ratio, overload)),
            slow=int(requests * behaviour.slow_ratio),
        )


class _Probe:
    def __init__(self, environment: SimulatedEnvironment) -> None:
        self._environment = environment

    def smoke(self, *, live: bool, colour: Colour, release: str, deadline_seconds: float) -> None:
        world = self._environment
        world.clock.sleep(world.smoke_seconds)
        answering = colour if not live or world.weights.of(colour) == 100 else colour.other
        if not live and world.test is not colour:
            answering = world.test
        running = world.running.get(answering)
        if running is None or not world.healthy(answering):
            world.clock.sleep(deadline_seconds)
            raise OperationError(f"the smoke test did not pass within {deadline_seconds:g} s: 503")
        fault = world.behaviour_of(running[0]).smoke_fault
        if fault or running[0].release != release:
            raise OperationError(f"the smoke test did not pass: {fault or running[0].release}")


class _Notifier:
    def __init__(self, environment: SimulatedEnvironment) -> None:
        self._environment = environment

    def notify(self, name: str, event: Event, facts: Mapping[str, Any]) -> None:
        del event, facts
        self._environment.notifications.append(name)

    def flush(self) -> None:
        pass
