//! The router: which path serves a notebook, and why.

use flags::{Boundary as FlagBoundary, Context, Reason as FlagReason, Resolution, Session, Snapshot};
use serde::{Deserialize, Serialize};

use crate::{Latch, Tier};

/// The flag that decides.
pub const ROUTE_FLAG: &str = "runtime-route";

/// The attribute by which a host says that it could not tell a notebook's attributes. Like `$flagd`, it is no name of a host's own.
pub const UNKNOWN_ATTRIBUTES: &str = "$unknown";

/// A way to serve a notebook: the variants of the flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Route {
    /// The old path only.
    Legacy,
    /// The old path serves, the new one shadows.
    Shadow,
    /// The new path serves, the old one shadows.
    Live,
    /// The new path only.
    Registry,
}

/// A path that can serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Path {
    /// The old code, or legacy-compat in its place.
    Legacy,
    /// The registry's agent.
    Registry,
}

impl Path {
    /// The path that does not serve while this one does.
    pub fn other(self) -> Self {
        match self {
            Self::Legacy => Self::Registry,
            Self::Registry => Self::Legacy,
        }
    }
}

impl Route {
    /// Whether the path that does not serve is run on the same facts and compared.
    pub fn compares(self) -> bool {
        matches!(self, Self::Shadow | Self::Live)
    }

    /// The path that serves on this route.
    pub fn serving(self) -> Path {
        match self {
            Self::Legacy | Self::Shadow => Path::Legacy,
            Self::Live | Self::Registry => Path::Registry,
        }
    }

    /// Reads a variant, strictly: `"SHADOW"`, `false`, `0` and `""` are not routes.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "legacy" => Some(Self::Legacy),
            "shadow" => Some(Self::Shadow),
            "live" => Some(Self::Live),
            "registry" => Some(Self::Registry),
            _ => None,
        }
    }
}

/// When a flag change reaches a running session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Boundary {
    /// With the next session.
    NextSession,
    /// Once what has started is done.
    Drain,
    /// At once.
    Now,
}

impl From<FlagBoundary> for Boundary {
    fn from(boundary: FlagBoundary) -> Self {
        match boundary {
            FlagBoundary::NextSession => Self::NextSession,
            FlagBoundary::Drain => Self::Drain,
            FlagBoundary::Now => Self::Now,
        }
    }
}

/// Why a route was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// A targeting rule chose it.
    Targeting,
    /// The flag's default variant.
    Default,
    /// The flag has no rule: everyone gets its default variant.
    Static,
    /// The kill switch: the flag is disabled, or one of the other ways is on.
    Killed,
    /// The guard has rolled back on evidence of this kind, and nobody has re-armed it.
    RolledBack(Tier),
    /// The runtime is a host's subclass with a `doStart` or `doStop` of its own: host code, on every route.
    HostSubclass,
    /// No flags are configured.
    NotConfigured,
    /// Legacy for want of certainty; the doubt says which.
    Doubt(Doubt),
}

/// What made a decision doubtful. Doubt never routes to new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Doubt {
    /// Flags are configured, but no document has been readable yet.
    NoDocument,
    /// The document has no flag `runtime-route`.
    NoFlag,
    /// The rule failed, or its answer names no variant.
    Evaluation,
    /// The variant's value is not the name of a route.
    NotARoute,
    /// The host could not tell the notebook's attributes, which a rule may depend on.
    UnknownAttributes,
    /// The store gives no live query, which every other route needs.
    NoLiveQuery,
}

impl Doubt {
    /// What to do about it.
    pub fn help(self) -> &'static str {
        match self {
            Self::NoDocument => "fix the flag document; the error that names its place was reported when it was read",
            Self::NoFlag => "add a flag `runtime-route` with the variants legacy, shadow, live and registry",
            Self::Evaluation => {
                "look at the flag's targeting rule: it must answer with the name of one of its variants"
            }
            Self::NotARoute => {
                "use the strings \"legacy\", \"shadow\", \"live\" and \"registry\" as values of the variants"
            }
            Self::UnknownAttributes => {
                "fix what configure({ attributes }) was given; what went wrong with it was reported as ATTRIBUTES_FAILED"
            }
            Self::NoLiveQuery => {
                "call attach(store, { queryDb, Schema }) of runtime-bridge/livestore before the runtime starts"
            }
        }
    }
}

/// What the router says of one notebook: a pure function of the flag set and the context.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// The notebook, which is the targeting key.
    pub notebook: String,
    /// The route to take.
    pub route: Route,
    /// Why.
    pub reason: Reason,
    /// The flag's variant, where it named one.
    pub variant: Option<String>,
    /// The notebook's position in the flag's 32-bit hash space, where a percentage may have used it.
    pub bucket: Option<u32>,
    /// The generation of the flag set.
    pub generation: u64,
    /// When a change to this route reaches a running session, if the flag says so.
    pub boundary: Option<Boundary>,
    /// How long a drain may take, in milliseconds, if the flag says so.
    pub drain_ms: Option<u64>,
}

/// A decision that does not name its notebook and borrows from the flag set: asking for one takes no memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice<'s> {
    /// As in [`Decision::route`], and so on.
    pub route: Route,
    /// Why.
    pub reason: Reason,
    /// The flag's variant, where it named one.
    pub variant: Option<&'s str>,
    /// The notebook's position in the flag's 32-bit hash space.
    pub bucket: Option<u32>,
    /// The generation of the flag set.
    pub generation: u64,
    /// When a change to this route reaches a running session.
    pub boundary: Option<Boundary>,
    /// How long a drain may take, in milliseconds.
    pub drain_ms: Option<u64>,
    /// Whether the rule may look at the time: where it does not, this is the choice at any time.
    pub is_timed: bool,
}

impl Choice<'_> {
    /// The same for this notebook.
    pub fn of(self, notebook: &str) -> Decision {
        Decision {
            notebook: notebook.to_owned(),
            route: self.route,
            reason: self.reason,
            variant: self.variant.map(str::to_owned),
            bucket: self.bucket,
            generation: self.generation,
            boundary: self.boundary,
            drain_ms: self.drain_ms,
        }
    }

    /// The same where rollbacks are in force, as [`Decision::under`] says.
    #[must_use]
    pub fn under(self, latch: &Latch, notebook: &str) -> Self {
        match rolled_back(latch, notebook, self.route) {
            Some(reason) => self.to_legacy(reason),
            None => self,
        }
    }

    /// The same where the kill switch is on, as [`Decision::killed`] says.
    #[must_use]
    pub fn killed(self) -> Self {
        self.to_legacy(killed(self.reason))
    }

    /// `legacy` for this reason, without asking the flags.
    fn legacy(generation: u64, reason: Reason) -> Self {
        Self {
            route: Route::Legacy,
            reason,
            variant: None,
            bucket: None,
            generation,
            boundary: None,
            drain_ms: None,
            is_timed: false,
        }
    }

    fn to_legacy(self, reason: Reason) -> Self {
        Self { route: Route::Legacy, reason, ..self }
    }
}

/// Why a rollback takes this notebook off its route, if one does.
fn rolled_back(latch: &Latch, notebook: &str, route: Route) -> Option<Reason> {
    let closed = latch.holds(notebook).filter(|_| route != Route::Legacy)?;
    Some(Reason::RolledBack(closed.tier))
}

/// The reason that the kill switch leaves: host code is on the old path anyway.
fn killed(reason: Reason) -> Reason {
    match reason {
        Reason::HostSubclass => reason,
        _ => Reason::Killed,
    }
}

impl Decision {
    /// The boundary in force: the flag's own, or `now` for a kill and an incident, `drain` for other rollbacks, for want of a live
    /// query and on the way back, `next-session` on the way there.
    pub fn effective_boundary(&self) -> Boundary {
        match (self.reason, self.boundary, self.route.serving()) {
            (Reason::Killed | Reason::RolledBack(Tier::ZeroTolerance), ..) => Boundary::Now,
            (Reason::RolledBack(_) | Reason::Doubt(Doubt::NoLiveQuery), ..) => Boundary::Drain,
            (_, Some(boundary), _) => boundary,
            (_, None, Path::Legacy) => Boundary::Drain,
            (_, None, Path::Registry) => Boundary::NextSession,
        }
    }

    /// `legacy` for this reason, without asking the flags.
    pub fn legacy(notebook: &str, generation: u64, reason: Reason) -> Self {
        Self {
            notebook: notebook.to_owned(),
            route: Route::Legacy,
            reason,
            variant: None,
            bucket: None,
            generation,
            boundary: None,
            drain_ms: None,
        }
    }

    /// The same question where rollbacks are in force: they win over the flags, whatever these say and however often.
    #[must_use]
    pub fn under(self, latch: &Latch) -> Self {
        match rolled_back(latch, &self.notebook, self.route) {
            Some(reason) => self.to_legacy(reason),
            None => self,
        }
    }

    /// The same question where the kill switch is on: it wins over everything but host code, which is on the old path anyway.
    #[must_use]
    pub fn killed(self) -> Self {
        let reason = killed(self.reason);
        self.to_legacy(reason)
    }

    /// The same question answered `legacy` for this reason.
    #[must_use]
    pub fn to_legacy(self, reason: Reason) -> Self {
        Self { route: Route::Legacy, reason, ..self }
    }
}

/// What a store and a runtime offer, which bounds the routes they can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ability {
    /// The runtime's `doStart` and `doStop` are the built-in ones.
    pub is_built_in: bool,
    /// The store gives a live query.
    pub has_live_query: bool,
}

/// Decides the route of a notebook. Total: whatever is doubtful is `legacy`, with the doubt as its reason.
pub fn decide(snapshot: &Snapshot, is_configured: bool, context: &Context, ability: Ability) -> Decision {
    decide_in(&mut Session::new(), snapshot, is_configured, context, ability)
}

/// [`decide`] for who decides often: evaluations use the session's memory again.
pub fn decide_in(
    session: &mut Session,
    snapshot: &Snapshot,
    is_configured: bool,
    context: &Context,
    ability: Ability,
) -> Decision {
    choose_in(session, snapshot, is_configured, context, ability).of(context.targeting_key())
}

/// [`decide_in`] for who takes no decision away from it.
pub fn choose_in<'s>(
    session: &mut Session,
    snapshot: &'s Snapshot,
    is_configured: bool,
    context: &Context,
    ability: Ability,
) -> Choice<'s> {
    let undecided = Choice::legacy(snapshot.generation(), Reason::NotConfigured);
    if !ability.is_built_in {
        return undecided.to_legacy(Reason::HostSubclass);
    }
    if !is_configured {
        return undecided;
    }
    let Some(set) = snapshot.set() else {
        return undecided.to_legacy(Reason::Doubt(Doubt::NoDocument));
    };
    let choice = resolved(undecided, &session.resolve(set, ROUTE_FLAG, context), ability);
    match choice.route {
        Route::Shadow | Route::Live | Route::Registry if context.attributes().contains_key(UNKNOWN_ATTRIBUTES) => {
            choice.to_legacy(Reason::Doubt(Doubt::UnknownAttributes))
        }
        _ => choice,
    }
}

fn resolved<'s>(undecided: Choice<'s>, resolution: &Resolution<'s>, ability: Ability) -> Choice<'s> {
    let choice = Choice {
        variant: resolution.variant,
        bucket: resolution.bucket,
        boundary: resolution.metadata.and_then(|metadata| metadata.boundary).map(Boundary::from),
        drain_ms: resolution.metadata.and_then(|metadata| metadata.drain_ms),
        is_timed: resolution.is_timed,
        ..undecided
    };
    let reason = match resolution.reason {
        FlagReason::TargetingMatch => Reason::Targeting,
        FlagReason::Default => Reason::Default,
        FlagReason::Static => Reason::Static,
        FlagReason::Disabled => return choice.to_legacy(Reason::Killed),
        FlagReason::FlagNotFound => return choice.to_legacy(Reason::Doubt(Doubt::NoFlag)),
        FlagReason::Error(_) => return choice.to_legacy(Reason::Doubt(Doubt::Evaluation)),
    };
    let Some(route) = resolution.value.and_then(|value| value.as_str()).and_then(Route::parse) else {
        return choice.to_legacy(Reason::Doubt(Doubt::NotARoute));
    };
    match route {
        Route::Legacy => Choice { route, reason, ..choice },
        _ if !ability.has_live_query => choice.to_legacy(Reason::Doubt(Doubt::NoLiveQuery)),
        _ => Choice { route, reason, ..choice },
    }
}

#[cfg(test)]
mod tests {
    use flags::LiveFlags;

    use super::*;
    use crate::{Closed, Scope};

    const ABLE: Ability = Ability { is_built_in: true, has_live_query: true };

    fn document(value: &str) -> String {
        format!(
            r#"{{"flags":{{"runtime-route":{{"state":"ENABLED","variants":{{"v":{value}}},"defaultVariant":"v","targeting":{{}}}}}}}}"#
        )
    }

    fn check(document: &str, ability: Ability, route: Route, reason: Reason) {
        let live = LiveFlags::new();
        live.apply(document, "test").unwrap();
        let decision = decide(&live.load(), true, &Context::new("nb"), ability);
        assert_eq!((decision.route, decision.reason), (route, reason), "{document}");
    }

    #[test]
    fn only_the_exact_names_are_routes() {
        check(&document(r#""registry""#), ABLE, Route::Registry, Reason::Static);
        check(&document(r#""legacy""#), ABLE, Route::Legacy, Reason::Static);
        for value in [r#""REGISTRY""#, r#""""#, "false", "0", "1e9", r#""registry ""#, r#"{"a":1}"#] {
            check(&document(value), ABLE, Route::Legacy, Reason::Doubt(Doubt::NotARoute));
        }
    }

    #[test]
    fn a_disabled_flag_is_the_kill_switch() {
        let killed = document(r#""registry""#).replace("ENABLED", "DISABLED");
        check(&killed, ABLE, Route::Legacy, Reason::Killed);
    }

    #[test]
    fn doubt_never_routes_to_new() {
        let blind = Ability { has_live_query: false, ..ABLE };
        let registry = document(r#""registry""#);
        check(&registry, blind, Route::Legacy, Reason::Doubt(Doubt::NoLiveQuery));
        check(r#"{"flags":{}}"#, ABLE, Route::Legacy, Reason::Doubt(Doubt::NoFlag));
        check(&registry, Ability { is_built_in: false, ..ABLE }, Route::Legacy, Reason::HostSubclass);
        let live = LiveFlags::new();
        live.apply(&registry, "test").unwrap();
        let unknown = decide(&live.load(), true, &Context::new("nb").with(UNKNOWN_ATTRIBUTES, true), ABLE);
        assert_eq!((unknown.route, unknown.reason), (Route::Legacy, Reason::Doubt(Doubt::UnknownAttributes)));
        let nothing = decide(&LiveFlags::new().load(), true, &Context::new("nb"), ABLE);
        assert_eq!(nothing.reason, Reason::Doubt(Doubt::NoDocument));
    }

    #[test]
    fn a_rollback_wins_over_the_flags_and_over_their_boundary() {
        let live = LiveFlags::new();
        let registry = document(r#""registry""#)
            .replace(r#""targeting""#, r#""metadata":{"boundary":"next-session"},"targeting""#);
        live.apply(&registry, "test").unwrap();
        let decision = decide(&live.load(), true, &Context::new("nb"), ABLE);
        assert_eq!(decision.clone().under(&Latch::default()), decision);
        for (tier, boundary) in [(Tier::ZeroTolerance, Boundary::Now), (Tier::Mismatches, Boundary::Drain)] {
            let mut latch = Latch::default();
            let (build, grounds) = (String::new(), String::new());
            latch.close(Closed { scope: Scope::Everywhere, tier, grounds, since_wall_ms: 0, build, generation: 1 });
            let latched = decision.clone().under(&latch);
            assert_eq!((latched.route, latched.reason), (Route::Legacy, Reason::RolledBack(tier)));
            assert_eq!((latched.effective_boundary(), latched.variant), (boundary, decision.variant.clone()));
        }
    }

    #[test]
    fn a_kill_wins_over_flags_rollbacks_and_doubt_and_acts_now() {
        let live = LiveFlags::new();
        live.apply(&document(r#""registry""#), "test").unwrap();
        let decision = decide(&live.load(), true, &Context::new("nb"), ABLE);
        let drained = decision.clone().to_legacy(Reason::RolledBack(Tier::Mismatches));
        let doubtful = decision.clone().to_legacy(Reason::Doubt(Doubt::NoDocument));
        for one in [decision.clone(), drained, doubtful] {
            let killed = one.killed();
            assert_eq!((killed.route, killed.reason), (Route::Legacy, Reason::Killed));
            assert_eq!(killed.effective_boundary(), Boundary::Now);
        }
        assert_eq!(decision.to_legacy(Reason::HostSubclass).killed().reason, Reason::HostSubclass);
    }
}
